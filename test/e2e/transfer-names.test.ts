import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { floats, readTensors, writeTensors } from '../core/tensors/transfer/files.js'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'

interface Report {
  readonly source: string
  readonly matched: string[]
  readonly coverage: { count: number; bytes: number }
  readonly prefix: unknown
  readonly output: string | null
  readonly removed: string[]
  readonly sharesBlocks: boolean | null
  readonly error?: { readonly code: string; readonly message: string }
}

async function transfer(...args: string[]): Promise<{ status: number; stderr: string; report: Report }> {
  const { status, stdout, stderr } = await ckpt(['transfer', ...args, '--json'])
  return { status, stderr, report: JSON.parse(stdout) as Report }
}

describe('ckpt transfer from a run', () => {
  it('takes the parameter file of the checkpoint that the query chooses, and says so when asked', async () => {
    const run = copyFixture('runs/asr_run')
    const target = join(run, 'CKPT+2026-11-22+20-46-49+00', 'model.ckpt')
    const output = join(temporaryDirectory(), 'init.safetensors')
    const { status, report } = await transfer(run, target, '--min', 'WER', '-o', output, '--record-source')
    const best = 'CKPT+2026-11-22+20-46-49+09'
    expect([status, report.source, report.matched.length]).toEqual([0, join(run, best, 'model.ckpt'), 25])
    expect(readTensors(output).metadata).toEqual({
      format: 'pt',
      'ckpt.source': join(run, best, 'model.ckpt'),
      'ckpt.checkpoint': best,
      'ckpt.metric': 'WER=5',
      'ckpt.count': '25 of 25',
    })
  })

  it('takes another file by its key, and says which there are', async () => {
    const run = copyFixture('runs/asr_run')
    const target = join(run, 'CKPT+2026-11-22+20-46-49+00', 'model.ckpt')
    const { status, report } = await transfer(run, target, '--key', 'none')
    expect([status, report.error?.code]).toEqual([3, 'no-match'])
  })

  it('takes the first that is whole, tells what it passed over, and warns of what --verify none lets through', async () => {
    const run = copyFixture('runs/asr_run')
    const newest = join(run, 'CKPT+2026-11-22+20-46-49+09')
    fs.truncateSync(join(newest, 'optimizer.ckpt'), 100)
    const { status, stderr } = await transfer(run, join(newest, 'model.ckpt'))
    expect(status).toBe(0)
    expect(stderr).toContain('passed over CKPT+2026-11-22+20-46-49+09: optimizer.ckpt')
    const named = await transfer(newest, join(newest, 'model.ckpt'))
    expect([named.status, named.stderr]).toEqual([0, expect.stringContaining('+09 is not whole: optimizer.ckpt')])
  })

  it('refuses a query where there is nothing to choose from', async () => {
    const file = writeTensors(join(temporaryDirectory(), 'a.safetensors'), [floats('w', [1], [1])])
    const { status, report } = await transfer(file, file, '--min', 'WER')
    expect([status, report.error?.code]).toEqual([2, 'usage'])
  })
})

describe('ckpt transfer', () => {
  const files = () => {
    const folder = temporaryDirectory()
    return {
      folder,
      source: writeTensors(join(folder, 's.safetensors'), [floats('module.enc.w', [2], [1, 2]), floats('module.v', [1], [3])]), // prettier-ignore
      target: writeTensors(join(folder, 't.safetensors'), [floats('encoder.w', [2], [0, 0]), floats('v', [1], [0])]),
    }
  }

  it('tells the prefix that it took, and takes none when told so', async () => {
    const { source, target } = files()
    const { stderr, report } = await transfer(source, target)
    expect([report.prefix, report.matched]).toEqual([{ strip: 'module.', add: '' }, ['v']])
    expect(stderr).toContain('"module." taken from them')
    const { status, report: refused } = await transfer(source, target, '--no-auto-prefix')
    expect([status, refused.error?.code, refused.matched]).toEqual([5, 'refused', []])
  })

  it('maps names by flags and by a file, one as the other', async () => {
    const { folder, source, target } = files()
    const map = join(folder, 'map.txt')
    fs.writeFileSync(map, 'enc=encoder\n')
    for (const how of [
      ['--map', 'enc=encoder'],
      ['--map-file', map],
      ['--rename', 's/enc/encoder/'],
      ['--rename', 's/enc/&oder/', '--strip-prefix', 'module.'],
    ]) {
      const output = join(folder, 'out.safetensors')
      const { status, report } = await transfer(source, target, ...how, '-o', output, '--force', '--strict')
      expect([status, report.matched, report.coverage.bytes]).toEqual([0, ['encoder.w', 'v'], 1])
    }
  })

  it('refuses too little coverage, with what there was', async () => {
    const { source, target } = files()
    const { status, report } = await transfer(source, target, '--min-coverage', '90%')
    expect([status, report.error?.code, report.coverage.count]).toEqual([5, 'refused', 0.5])
    expect((await ckpt(['transfer', source, target, '--min-coverage', '2'])).status).toBe(2)
  })

  it('says of a clone whether it shares blocks, and on stderr where it does not', async () => {
    const { folder, source, target } = files()
    const { report, stderr } = await transfer(source, target, '--in-place', '-o', join(folder, 'clone.safetensors'))
    expect(report.sharesBlocks).toBeTypeOf('boolean')
    expect(stderr.includes('no blocks could be shared')).toBe(!report.sharesBlocks)
    const plain = await transfer(source, target, '-o', join(folder, 'plain.safetensors'))
    expect([plain.report.sharesBlocks, plain.stderr.includes('blocks')]).toEqual([null, false])
  })

  it('tells which shards of before go, and removes them', async () => {
    const { folder, source, target } = files()
    const output = join(folder, 'm.safetensors')
    expect((await transfer(source, target, '-o', output, '--shard-size', '1B')).status).toBe(0)
    const before = fs.readdirSync(folder).filter((name) => name.startsWith('m-'))
    const { report, stderr } = await transfer(source, target, '-o', output, '--shard-size', '1MB', '--force')
    expect(before.length).toBeGreaterThan(1)
    expect([...report.removed].sort()).toEqual(
      [...before, 'm.safetensors.index.json'].map((name) => join(folder, name)),
    )
    expect(stderr).toContain(`to be removed once the new files are there: ${report.removed.join(', ')}`)
    expect(fs.readdirSync(folder).filter((name) => name.startsWith('m'))).toEqual(['m.safetensors'])
  })

  it('changes the target in place, through a link to it, and leaves the link', async () => {
    const { folder, source, target } = files()
    fs.symlinkSync('t.safetensors', join(folder, 'link'))
    const { status, report } = await transfer(source, join(folder, 'link'), '--in-place')
    expect([status, report.output]).toEqual([0, target])
    expect(fs.readlinkSync(join(folder, 'link'))).toBe('t.safetensors')
    expect(fs.readFileSync(target).readFloatLE(fs.statSync(target).size - 4)).toBe(3)
  })

  it('warns of rules that mean no name, and of maps that lead to none', async () => {
    const { source, target } = files()
    const { stderr } = await transfer(
      ...[source, target, '--strip-prefix', 'modul.', '--exclude', 'moduel.**', '--include', '**'],
      ...['--rename', 's/dec/x/', '--map', 'module.enc=encodr', '--map', 'module.encc=encoder'],
    )
    expect(stderr.split('\n').filter((line) => line.startsWith('warning: '))).toEqual([
      'warning: --exclude moduel.**: no name of the source matches it',
      'warning: --map module.encc: the source has no such tensor; the nearest: module.enc',
      'warning: --strip-prefix modul.: no name of the source begins with it',
      'warning: --rename s/dec/x/: it changes no name of the source',
      'warning: --map module.enc=encodr: the target has no such tensor; the nearest: encoder',
    ])
  })

  it('says under which name an unexpected tensor was looked for', async () => {
    const { source, target } = files()
    const { stdout } = await ckpt(['transfer', source, target, '--strip-prefix', 'module'])
    expect(stdout).toContain('  module.enc.w  F32 [2], looked for as enc.w\n')
  })

  it('tells what was left out as asked', async () => {
    const { source, target } = files()
    const { stdout } = await ckpt(['transfer', source, target, '--exclude', '**.enc.*'])
    expect(stdout).toContain('excluded: 1\n  module.enc.w  F32 [2]\n')
  })

  it('reads no folder as a map', async () => {
    const { folder, source, target } = files()
    const { status, report } = await transfer(source, target, '--map-file', folder)
    expect([status, report.error?.message]).toEqual([2, `--map-file ${folder}: is a folder`])
  })

  it('casts to floating-point dtypes only, told before anything else', async () => {
    const { source, target } = files()
    for (const dtype of ['int8', 'BOOL', 'C64', 'F4']) {
      const { status, report } = await transfer(source, target, '--dtype', dtype)
      expect([status, report.error?.code]).toEqual([2, 'usage'])
      expect(report.error?.message).toContain(`--dtype ${dtype}`)
    }
  })
})
