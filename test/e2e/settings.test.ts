/** Flags from ckpt.yaml: what holds, and what is told. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun } from './runs.js'

/** A run with settings above it. */
function withSettings(text: string): { exp: string; run: string; file: string } {
  const run = makeRun(epochs(6))
  const exp = join(run, '..')
  const file = join(exp, 'ckpt.yaml')
  writeFileSync(file, text)
  return { exp, run, file }
}

async function found(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { status, stdout, stderr } = await ckpt(['find', ...args], { env })
  return status === 0 ? stdout.trim().replace(/^.*\//, '') : stderr
}

describe('a flag in ckpt.yaml', () => {
  it('holds for its command, gives way to the command line, and is taken back by --no-FLAG and --no-config', async () => {
    const { exp, run } = withSettings('find: {min: [loss]}\n')
    const best = await found([run, '--min', 'loss', '--no-config'])
    const newest = await found([run, '--no-config'])
    expect(best).not.toBe(newest)
    expect(await found([run])).toBe(best)
    expect(await found([exp])).toBe(best)
    expect(await found([run, '--max', 'epoch'])).toBe(newest)
    expect(await found([run, '--no-min'])).toBe(newest)
    expect(await found([run], { CKPT_NO_CONFIG: '1' })).toBe(newest)
  })

  it('gives way to a nearer file, and the own file of the user comes last', async () => {
    const { run } = withSettings('find: {where: ["epoch == 1"], num: 1}\n')
    const config = temporaryDirectory()
    mkdirSync(join(config, 'ckpt'))
    writeFileSync(join(config, 'ckpt', 'config.yaml'), 'find: {where: ["epoch == 3"], key: model}\n')
    const env = { XDG_CONFIG_HOME: config }
    expect((await ckpt(['find', run], { env })).stdout).toMatch(/\/model\.ckpt\n$/)
    writeFileSync(join(run, 'ckpt.yaml'), 'find: {where: ["epoch == 2"]}\n')
    const first = await found([run, '--no-config', '--where', 'epoch == 2'])
    expect((await ckpt(['find', run], { env })).stdout).toContain(first)
  })

  it('is a path from the folder of the file', async () => {
    const { exp, run } = withSettings('recover: {into: staged, link: hard}\n')
    const { status, stdout } = await ckpt(['recover', run])
    expect([status, stdout.startsWith(`${join(exp, 'staged')}/`)]).toEqual([0, true])
  })

  it('that answers a question is told', async () => {
    const { run, file } = withSettings('prune: {keep: 1, yes: true}\n')
    const { status, stderr } = await ckpt(['prune', run])
    expect([status, stderr]).toEqual([0, `nothing is asked: ${file}:1 says yes\nthe policy is that of ${file}\n`])
  })

  it('is left out where it excludes one that is typed', async () => {
    const { run } = withSettings('list: {limit: 1}\n')
    expect((await ckpt(['list', run])).stdout.split('\n')).toHaveLength(3)
    expect((await ckpt(['list', run, '--all'])).stdout.split('\n').length).toBeGreaterThan(3)
  })

  it('can be --json, and one of a command of two words', async () => {
    const { run } = withSettings('trash list: {json: true}\n')
    expect(JSON.parse((await ckpt(['trash', 'list', run])).stdout)).toBeTypeOf('object')
  })

  it.each([
    ['find: {mn: [WER]}', ':1:8: "mn" is not a flag of find', 'did you mean min?'],
    ['fnd: {min: [WER]}', ':1:1: "fnd" is not a section of ckpt.yaml', 'did you mean find?'],
    ['find:\n  num: many', ':2:8: Expected an integer', undefined],
    ['find:\n  verify: deeep', ':2:11: Expected --verify=deeep to be one of: none, quick, deep', undefined],
    ['find:\n  by: "loss +"', ':2:7: ', undefined],
    ['find: {no-config: true}', ':1:8: "no-config" is not a flag of find', undefined],
    ['list:\n  all: true\n  limit: 2', undefined, undefined],
    ['trust: [/tmp]', ':1:9: trust stands in your own settings only', 'config.yaml'],
  ])('with a mistake is told with its place: %j', async (text, place, hint) => {
    const { run, file } = withSettings(text)
    const { status, stderr } = await ckpt(['find', run])
    if (place === undefined) {
      expect(status).toBe(0)
      return
    }
    expect([status, stderr]).toEqual([2, expect.stringContaining(file + place) as string])
    if (hint !== undefined) expect(stderr).toContain(hint)
  })

  it.each([
    ['run: {retries: often}', ':1:16: --retries takes a count or "unlimited"'],
    ['run:\n  stall: soon', ':2:10: --stall takes a duration'],
    ['run: {no-retry-on: "2,999"}', ':1:20: --no-retry-on takes exit statuses from 0 to 255'],
    ['run: {simulate: [boom@1s]}', ':1:18: --simulate takes what and when'],
    ['run: {stop-when: "epoch >"}', ':1:18: '],
    ['stalled: {min: WER, max: ACC, patience: 2}', ':1:21: max and min exclude each other'],
  ])('of a job is told with its place before there is one: %j', async (text, place) => {
    const { run, file } = withSettings(text)
    const { status, stderr } = await ckpt(['config', run])
    expect(status).toBe(2)
    expect(stderr).toContain(file)
    expect(stderr).toContain(place)
  })

  it('takes one value where another command takes several', async () => {
    const { run } = withSettings('stalled: {min: WER, patience: 2}\nrun: {stall: 30m, retries: failed=1}')
    expect((await ckpt(['stalled', run])).status).toBe(3)
    expect((await ckpt(['config', run])).stdout).toMatch(/stall +30m/)
  })

  it('excludes no other in one file', async () => {
    const { run, file } = withSettings('list:\n  all: true\n  limit: 2')
    const { status, stderr } = await ckpt(['list', run])
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining(`${file}:3:3: limit and all exclude each other`) as string,
    ])
  })

  it('is not taken from a file that anybody may write', async () => {
    const { run, file } = withSettings('find: {min: [WER]}')
    chmodSync(file, 0o666)
    const { status, stderr } = await ckpt(['find', run])
    expect([status, stderr]).toEqual([5, expect.stringContaining('anybody may write this file') as string])
    expect((await ckpt(['find', run, '--no-config'])).status).toBe(0)
  })
})
