import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'
import { askPython } from './python.js'

/** By name: dtype, shape, SHA-256 of the values. */
type Sums = Readonly<Record<string, unknown>>

interface Loaded {
  readonly sums: Sums
  readonly tied: readonly (readonly string[])[]
}

async function run(...args: string[]): Promise<void> {
  const { status, stderr } = await ckpt(args)
  expect(status, stderr).toBe(0)
}

const load = (path: string) => askPython({ do: 'load_file', path }) as Loaded

describe('what ckpt average wrote', () => {
  it("is to the last bit what SpeechBrain's average_checkpoints comes to", async () => {
    const folder = temporaryDirectory()
    const checkpoints = join(folder, 'save')
    const { sums } = askPython({ do: 'averages', run: checkpoints, count: 7, last: 5 }) as { sums: Sums }
    const output = join(folder, 'model.pt')
    await run('average', checkpoints, '--last', '5', '--key', 'model', '--accumulate', 'float32', '-o', output)
    expect(load(output).sums).toEqual(sums)
  })
})

describe('what ckpt convert wrote', () => {
  it('torch.load reads with weights_only, tied weights as one, after a way through safetensors', async () => {
    const folder = temporaryDirectory()
    const path = join(folder, 'tied.pt')
    const { sums } = askPython({ do: 'tied_file', path }) as { sums: Sums }
    await run('convert', path, '--to', 'safetensors')
    await run('convert', join(folder, 'tied.safetensors'), '--to', 'torch', '-o', join(folder, 'back.pt'))
    const loaded = load(join(folder, 'back.pt'))
    expect(loaded.sums).toEqual(sums)
    expect(loaded.tied).toEqual([['embedding', 'head']])
  })
})

describe('what ckpt transfer wrote for torch', () => {
  it('torch.load reads, shards too', async () => {
    const folder = temporaryDirectory()
    const path = join(folder, 'tied.pt')
    askPython({ do: 'tied_file', path })
    await run('convert', path, '--to', 'torch', '-o', join(folder, 'plain.pt'))
    await run('transfer', path, join(folder, 'plain.pt'), '-o', join(folder, 'out.pt'))
    const expected = load(join(folder, 'plain.pt')).sums
    expect(load(join(folder, 'out.pt')).sums).toEqual(expected)
    await run('transfer', path, join(folder, 'plain.pt'), '-o', join(folder, 'm.bin'), '--shard-size', '100B')
    const first = load(join(folder, 'm-00001-of-00002.bin')).sums
    expect(Object.keys(first).length).toBeGreaterThan(0)
    for (const [name, sum] of Object.entries(first)) expect(sum).toEqual(expected[name])
  })
})

describe("SpeechBrain's recover", () => {
  it('loads what ckpt average wrote, saved as a checkpoint', async () => {
    const folder = temporaryDirectory()
    const files = [join(folder, 'a.pt'), join(folder, 'b.pt')]
    for (const [index, path] of files.entries()) askPython({ do: 'torch_file', path, value: 2 * index + 1 })
    const output = join(folder, 'avg.pt')
    await run('average', ...files, '-o', output)
    const saved = join(folder, 'save')
    await run('save', saved, '--file', `model=${output}`, '--meta', 'averaged=true')
    const { state } = askPython({ do: 'recover', run: saved, recoverables: ['model'] }) as { state: unknown }
    expect(state).toEqual({ model: Array<number>(6).fill(2) })
  })

  it('finds and loads what ckpt average --save put beside the checkpoints that it was averaged from', async () => {
    const saved = join(temporaryDirectory(), 'save')
    const steps = [1, 2, 4, 9].map((loss, index) => ({ epoch: index + 1, meta: { loss, ACC: 1 / loss } }))
    askPython({ do: 'save', run: saved, recoverables: ['model'], steps })
    const saving = ['--save', saved, '--meta', 'ACC=1.1', '--name', 'mean']
    await run('average', saved, '--num', '2', '--max', 'ACC', '--key', 'model', ...saving)
    const task = { do: 'recover', run: saved, recoverables: ['model'], find: { max_key: 'ACC' } }
    const { chosen, listed, state } = askPython(task) as { chosen: string; listed: unknown[]; state: unknown }
    expect(chosen).toBe('CKPT+mean')
    expect(listed).toHaveLength(5)
    expect(state).toEqual({ model: Array<number>(6).fill(1.5) })
    const { tied, sums } = load(join(saved, 'CKPT+mean', 'model.ckpt'))
    expect([Object.keys(sums).sort(), tied]).toEqual([['bias', 'weight'], []])
  })
})
