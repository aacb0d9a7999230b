import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { floats, writeTensors } from '../core/tensors/transfer/files.js'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'

const fixtures = new URL('../fixtures/torch/', import.meta.url).pathname

interface Document {
  readonly tensors: readonly {
    name: string
    dtype: string
    shared?: string
    sha256?: string
    stats?: { max: number }
  }[]
  readonly values: unknown
  readonly findings: readonly { kind: string; message: string }[]
  readonly error?: { code: string }
}

async function tensors(...args: string[]): Promise<{ status: number; document: Document }> {
  const { status, stdout } = await ckpt(['tensors', ...args, '--json'])
  return { status, document: JSON.parse(stdout) as Document }
}

describe('ckpt tensors', () => {
  it('tells names, values beside them, hashes and what the numbers are like', async () => {
    const path = join(fixtures, 'torch1', 'lightning_like.ckpt')
    const { status, document } = await tensors(path, '--include', 'state_dict.cnn.*', '--hash', '--stats')
    expect(status).toBe(0)
    expect(document.tensors.map(({ name }) => name)).toEqual(['state_dict.cnn.weight', 'state_dict.cnn.bias'])
    expect(document.tensors[0]?.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(document.tensors[0]?.stats?.max).toBeGreaterThan(0)
    expect(document.values).toMatchObject({ epoch: 3, global_step: 400 })
  })

  it('warns of patterns that no name matches', async () => {
    const path = join(fixtures, 'torch1', 'tied.pt')
    const { status, stderr } = await ckpt(['tensors', path, '--include', 'em*', '--include', 'no.*'])
    expect([status, stderr]).toEqual([
      0,
      'warning: --include em* no.*: no name matches; * matches up to the next dot, ** across dots\n',
    ])
    expect((await ckpt(['tensors', path, '--include', 'em**', '--include', 'no.*'])).stderr).toBe('')
  })

  it('tells which tensors lie in one storage', async () => {
    const { document } = await tensors(join(fixtures, 'torch1', 'tied.pt'))
    expect(document.tensors.map(({ shared }) => shared)).toEqual(['emb.weight', 'emb.weight'])
  })

  it('lists what it keeps as names, with exit status 0', async () => {
    const { status, document } = await tensors(join(fixtures, 'torch2', 'python_values.pt'))
    expect(status).toBe(0)
    expect(document.findings).toContainEqual({
      kind: 'opaque',
      message: '__main__.Conf is kept as a name only (1 time)',
    })
  })

  it('names what a file would run, with its listing and exit status 4', async () => {
    const { status, document } = await tensors(join(fixtures, 'torch2', 'hostile_os_system.pt'))
    expect([status, document.error?.code, document.findings[0]?.kind]).toEqual([4, 'damaged', 'unsafe'])
    expect(document.findings[0]?.message).toContain('calls os.system')
  })

  it('folds layers that differ in their number alone', async () => {
    const { stdout } = await ckpt(['tensors', join(fixtures, 'torch1', 'many.pt')])
    expect(stdout).toMatch(/ {2}layer\.\{0…\d+\}\.weight +F32 +\[3, 2\] .* ×/)
  })

  it('reads a sharded model by its index, and tells a shard that is gone', async () => {
    const folder = temporaryDirectory()
    mkdirSync(join(folder, 'model'))
    const index = join(folder, 'model', 'pytorch_model.bin.index.json')
    for (const shard of ['state_dict.pt', 'tied.pt']) {
      writeFileSync(join(folder, 'model', shard), readFileSync(join(fixtures, 'torch1', shard)))
    }
    const map = { 'cnn.bias': 'state_dict.pt', 'emb.weight': 'tied.pt', 'fc.weight': 'tied.pt' }
    writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }))
    const { document } = await tensors(index)
    expect(document.tensors.map(({ name }) => name)).toEqual(['cnn.bias', 'emb.weight', 'fc.weight'])
    writeFileSync(index, JSON.stringify({ weight_map: { ...map, w: 'gone.bin' } }))
    const { status, stderr } = await ckpt(['tensors', index])
    expect(status).toBe(4)
    expect(stderr).toContain('gone.bin')
  })

  it('lists the shards of a folder that are there, and ends with 4 where its index names one that is gone', async () => {
    const folder = temporaryDirectory()
    const shards = ['model-00001-of-00003.bin', 'model-00002-of-00003.bin', 'model-00003-of-00003.bin']
    const [first = '', second = '', third = ''] = shards
    const put = (shard: string, from: string) => {
      writeFileSync(join(folder, shard), readFileSync(join(fixtures, 'torch1', from)))
    }
    put(first, 'state_dict.pt')
    put(second, 'tied.pt')
    const map = { 'cnn.bias': first, 'emb.weight': second, w: third }
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }))
    const { status, stdout, stderr } = await ckpt(['tensors', folder])
    expect([status, stderr]).toEqual([4, expect.stringContaining(`a file that is not there: ${third}`)])
    expect(stdout).toContain('emb.weight')
    const { document, ...json } = await tensors(folder)
    expect([json.status, document.error?.code, document.tensors.length > 0]).toEqual([4, 'damaged', true])
    const { status: ofOne } = await ckpt(['tensors', folder, '--key', first.replace('.bin', '')])
    expect(ofOne).toBe(0)
    // The index of the same model in its other form, of which nothing was fetched, says nothing.
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: { 'cnn.bias': first } }))
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { w: 'model.safetensors' } }),
    )
    expect((await ckpt(['tensors', folder])).status).toBe(0)
  })

  it('takes a checkpoint, and one of its files by key', async () => {
    const run = copyFixture('runs/asr_run')
    const { stdout } = await ckpt(['find', run])
    const all = await tensors(stdout.trim())
    expect(all.status).toBe(0)
    expect(new Set(all.document.tensors.map((tensor) => (tensor as { file?: string }).file)).has('model')).toBe(true)
    const { document } = await tensors(stdout.trim(), '--key', 'model')
    expect(document.tensors.length).toBeGreaterThan(0)
    expect(document.tensors.length).toBeLessThan(all.document.tensors.length)
  })
})

describe('ckpt average of one thing', () => {
  const told = async (...args: string[]) => {
    const { status, stderr } = await ckpt(['average', ...args])
    return [status, stderr.split('\n')[0]]
  }

  it('says what is missing, by what was named', async () => {
    const run = copyFixture('runs/asr_run')
    const checkpoint = join(run, 'CKPT+2026-11-22+20-46-49+09')
    const file = join(checkpoint, 'model.ckpt')
    const alone = 'and there is nothing to average it with'
    expect(await told(file)).toEqual([2, `error: ${file} is one file, ${alone}`])
    expect(await told(checkpoint)).toEqual([2, `error: ${checkpoint} is one checkpoint, ${alone}`])
    expect(await told(run)).toEqual([2, `error: ${run} is a folder: say how many checkpoints of its run are averaged`])
    expect(await told(join(run, 'none'))).toEqual([3, `error: ${join(run, 'none')}: no such file or directory`])
    expect(await told(file, '--last', '2')).toEqual([
      2,
      `error: ${file} is a file: a number of checkpoints is chosen from a run`,
    ])
  })
})

describe('ckpt average of NaN and of several dtypes', () => {
  it('tells both', async () => {
    const folder = temporaryDirectory()
    const data = new Uint8Array(Float64Array.from([NaN]).buffer)
    const one = writeTensors(join(folder, 'a'), [floats('w', [1], [1]), floats('v', [1], [1])])
    const other = writeTensors(join(folder, 'b'), [
      { name: 'w', dtype: 'F64', shape: [1], data },
      floats('v', [1], [1]),
    ])
    const { status, stdout, stderr } = await ckpt(['average', one, other, '-o', join(folder, 'out.safetensors')])
    expect(status).toBe(0)
    expect(stderr).toBe('warning: NaN in the mean of 1 tensor: w (1); ckpt tensors FILE --stats tells whose\n')
    expect(stdout).toContain("1 tensor of several dtypes, written with the first file's: w as F32\n")
  })
})

describe('a pattern that no name matches', () => {
  it('is reported by diff and average', async () => {
    const file = writeTensors(join(temporaryDirectory(), 'a'), [floats('w', [1], [1]), floats('v', [1], [1])])
    const told = async (command: string) =>
      (await ckpt([command, file, file, '--include', 'w', '--exclude', 'vv'])).stderr
    expect(await told('diff')).toBe('warning: --exclude vv: no name matches it\n')
    expect(await told('average')).toBe('warning: --exclude vv: no name matches it\n')
  })
})

describe('ckpt diff of a bare model and one below a key', () => {
  it('proposes the command that compares them, and that finds them equal', async () => {
    const folder = temporaryDirectory()
    const names = ['0.weight', '0.bias']
    const bare = writeTensors(
      join(folder, 'bare one'),
      names.map((name) => floats(name, [1], [1])),
    )
    const nested = writeTensors(
      join(folder, 'nested'),
      names.map((name) => floats(`model.${name}`, [1], [1])),
    )
    const { stdout, stderr } = await ckpt(['diff', bare, nested, '--values', '--exit-code'])
    expect(stdout).toContain('0 tensors of one form, 2 removed, 2 added')
    const command = `ckpt diff '${bare}' ${nested} --values --exit-code --strip-prefix model.`
    expect(stderr).toContain(`without model. 2 names would be alike: ${command}\n`)
    const again = await ckpt(['diff', bare, nested, '--values', '--exit-code', '--strip-prefix', 'model.'])
    expect([again.status, again.stderr]).toEqual([0, ''])
    expect(again.stdout).toBe(
      '2 tensors of one form, 0 removed, 0 added, 0 reshaped, 0 recast; of 2 compared 2 are equal\n',
    )
  })
})

describe('ckpt convert', () => {
  it('takes the format from the name of the output, and asks for it where that says none', async () => {
    const [folder, file] = [temporaryDirectory(), join(fixtures, 'torch1', 'tied.pt')]
    expect((await ckpt(['convert', file, '-o', join(folder, 'a.safetensors')])).stdout).toContain('to safetensors')
    expect((await ckpt(['convert', file, '-o', join(folder, 'a.bin')])).stdout).toContain('to torch')
    for (const output of [[], ['-o', join(folder, 'a.weights')]]) {
      const { status, stderr } = await ckpt(['convert', file, ...output])
      expect([status, stderr]).toEqual([2, expect.stringContaining('say which: --to safetensors or --to torch')])
    }
  })

  it('never writes over the file itself by default', async () => {
    const file = join(temporaryDirectory(), 'a.safetensors')
    writeTensors(file, [floats('w', [1], [1])])
    const { status, stderr } = await ckpt(['convert', file, '--to', 'safetensors', '--force'])
    expect([status, stderr.includes('would take the place of the file itself')]).toEqual([2, true])
  })

  it("writes into a folder by Hugging Face's name, and makes no file of the folder's name", async () => {
    const folder = temporaryDirectory()
    const file = writeTensors(join(folder, 'pytorch_model.safetensors'), [floats('w', [1], [1])])
    mkdirSync(join(folder, 'model'))
    const convert = async (into: string) =>
      ckpt(['convert', file, '--to', 'safetensors', '--shard-size', '1GB', '-o', join(folder, into)])
    expect((await convert('model')).stdout).toContain(join(folder, 'model', 'model.safetensors'))
    const { status, stderr } = await convert('not there/')
    expect([status, stderr]).toEqual([3, expect.stringContaining(`mkdir -p '${join(folder, 'not there')}'`)])
  })

  it('warns of a dtype for names that no tensor has', async () => {
    const folder = temporaryDirectory()
    const file = writeTensors(join(folder, 'a.safetensors'), [floats('w', [1], [1])])
    const dtypes = ['--dtype-of', 'w=BF16', '--dtype-of', 'v.*=F16']
    const { stderr } = await ckpt(['convert', file, '--to', 'torch', '-o', join(folder, 'a.pt'), ...dtypes])
    expect(stderr).toBe('warning: --dtype-of v.*=F16: no name matches it\n')
  })
})

describe('ckpt average --save', () => {
  it('warns where it begins a run above the one that was averaged', async () => {
    const save = copyFixture('runs/asr_run')
    const above = join(save, '..')
    const { status, stderr } = await ckpt([
      'average',
      save,
      '--last',
      '2',
      '--key',
      'model',
      '--save',
      above,
      '--dry-run',
    ])
    expect(status, stderr).toBe(0)
    expect(stderr).toContain(`warning: ${above} has no checkpoints of its own yet, but ${save} below it has\n`)
    expect((await ckpt(['average', save, '--last', '2', '--key', 'model', '--save', save, '--dry-run'])).stderr).toBe(
      '',
    )
  })
})
