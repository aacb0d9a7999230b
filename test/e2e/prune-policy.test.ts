import {
  linkSync,
  mkdirSync,
  statfsSync,
  statSync,
  readdirSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rules } from '../../src/core/choosing/retention/index.js'
import { ckpt, temporaryDirectory } from './ckpt.js'

const day = 86_400
const now = Math.floor(Date.now() / 1000)

/** Ten checkpoints, ep01 the oldest; one a day, the newest an hour old. Each holds `bytes` bytes of model. */
function makeRun(bytes = 1000): string {
  const run = join(temporaryDirectory(), 'save')
  for (let epoch = 1; epoch <= 10; epoch += 1) {
    const time = now - 3600 - (10 - epoch) * day
    const folder = join(run, name(epoch))
    mkdirSync(folder, { recursive: true })
    const meta = `WER: ${epoch === 4 ? 1 : 20 - epoch}\nnote: ${epoch === 6 ? 'paper' : 'none'}`
    writeFileSync(join(folder, 'CKPT.yaml'), `${meta}\nend-of-epoch: true\nepoch: ${epoch}\nunixtime: ${time}.0\n`)
    writeFileSync(join(folder, 'model.ckpt'), Buffer.alloc(bytes, epoch))
    for (const file of ['CKPT.yaml', 'model.ckpt']) utimesSync(join(folder, file), time, time)
  }
  return run
}

function name(epoch: number): string {
  return `CKPT+ep${String(epoch).padStart(2, '0')}`
}

interface Answer {
  readonly keep: readonly { readonly name: string; readonly reasons: readonly string[] }[]
  readonly remove: readonly { readonly name: string; readonly reasons: readonly string[] }[]
  readonly missingBytes: number
}

async function plan(run: string, ...flags: string[]): Promise<Answer> {
  const { stdout, status, stderr } = await ckpt(['prune', run, '--dry-run', '--json', ...flags])
  expect([status, stderr.includes('error')], `${stdout}${stderr}`).toEqual([0, false])
  return JSON.parse(stdout) as Answer
}

function epochs(entries: readonly { readonly name: string }[]): number[] {
  return entries.map((entry) => Number(entry.name.slice(-2))).sort((a, b) => a - b)
}

describe('the keep-rules of prune', () => {
  const cases: readonly [flags: string[], kept: number[], reason: string][] = [
    [['--keep-every', 'epoch=5'], [5, 10], 'epoch is a multiple of 5'],
    [['--keep-within', '60h'], [8, 9, 10], 'no older than 60h'],
    [['--keep-daily', '2'], [9, 10], 'the newest of its day'],
    [['--keep-weekly', '1'], [10], 'the newest of its week'],
    [['--keep-monthly', '1'], [10], 'the newest of its month'],
    [['--keep-where', 'note == "paper"'], [6, 10], 'note == "paper" is true'],
    [['--keep-first'], [1, 10], 'the oldest'],
    [['--older-than', '60h'], [8, 9, 10], 'not older than --older-than asks for'],
  ]

  it('are all in this table', () => {
    expect(new Set(cases.map(([[flag]]) => flag))).toEqual(
      new Set([...rules.map(({ flag }) => `--${flag}`), '--older-than']),
    )
  })

  it.each(cases)('%j keep what they say, with the reason in words and in JSON', async (flags, kept, reason) => {
    const run = makeRun()
    const answer = await plan(run, ...flags)
    expect(epochs(answer.keep)).toEqual(kept)
    expect(epochs(answer.remove)).toHaveLength(10 - kept.length)
    expect(answer.keep.flatMap(({ reasons }) => reasons).join('; ')).toContain(reason)
    const { stdout } = await ckpt(['prune', run, '--dry-run', ...flags])
    expect(stdout).toContain(reason)
  })

  it('take damaged ones along when asked', async () => {
    const run = makeRun()
    truncateSync(join(run, name(3), 'model.ckpt'), 0)
    expect(epochs((await plan(run, '--keep', '9')).remove)).toEqual([])
    const { remove } = await plan(run, '--remove-damaged')
    expect(remove).toMatchObject([{ name: name(3), reasons: ['corrupt: model.ckpt: 0 bytes'] }])
  })
})

describe('the space targets of prune', () => {
  /** Bytes of one checkpoint's files. */
  function sizeOf(run: string): number {
    const folder = join(run, name(10))
    return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
  }

  it('take the oldest until what stays fits', async () => {
    const run = makeRun(100_000)
    const each = sizeOf(run)
    const answer = await plan(run, '--max-total', `${Math.ceil(each * 4.5)}B`)
    expect(epochs(answer.keep)).toEqual([7, 8, 9, 10])
    expect(answer.missingBytes).toBe(0)
    expect(answer.remove[0]?.reasons).toEqual(['the oldest that may go, to meet the space target'])
    const applied = await ckpt(['prune', run, '--max-total', `${Math.ceil(each * 4.5)}B`, '--yes'])
    expect([applied.status, readdirSync(run)]).toEqual([0, [7, 8, 9, 10].map(name)])
  })

  it('count a file with two names once, and take both where only that gives its bytes back', async () => {
    const run = makeRun(100_000)
    for (let epoch = 1; epoch <= 10; epoch += 1) {
      linkSync(
        join(run, name(epoch % 2 === 0 ? epoch - 1 : epoch + 1), 'model.ckpt'),
        join(run, name(epoch), 'lm.ckpt'),
      )
    }
    const answer = await plan(run, '--max-total', '850K')
    expect(epochs(answer.remove)).toEqual([1, 2])
  })

  it('take what a rule kept, and never what is protected; one that cannot be met is refused, or missed and told', async () => {
    const run = makeRun(100_000)
    const flags = ['--keep', '1', '--min', 'WER', '--keep-every', 'epoch=1', '--max-total', '1K']
    for (const last of ['--dry-run', '--yes']) {
      const refused = await ckpt(['prune', run, last, ...flags])
      expect([refused.status, refused.stderr]).toEqual([
        5,
        expect.stringMatching(/cannot be met, so nothing is removed: .* would free .*, still 199 kB short/) as string,
      ])
    }
    expect(readdirSync(run)).toHaveLength(10)
    const { status, stdout, stderr } = await ckpt(['prune', run, '--yes', '--json', ...flags, '--as-far-as-possible'])
    const answer = JSON.parse(stdout) as Answer
    expect(epochs(answer.keep)).toEqual([4, 10])
    expect(answer.missingBytes).toBeGreaterThan(199_000)
    expect([status, stderr]).toEqual([6, expect.stringMatching(/short of the space target/) as string])
    expect(readdirSync(run)).toEqual([name(4), name(10)])
  })

  it('of free space are a size or a share, and nothing goes where so much is free', async () => {
    const run = makeRun()
    const { bsize, bavail, blocks } = statfsSync(run)
    const free = bsize * bavail
    expect(epochs((await plan(run, '--min-free', `${Math.floor(free / 2)}B`)).remove)).toEqual([])
    const share = Math.floor((100 * bavail) / blocks) - 1
    if (share > 0) expect(epochs((await plan(run, '--min-free', `${share}%`)).remove)).toEqual([])
    expect(epochs((await plan(run, '--min-free', '100%', '--as-far-as-possible')).keep)).toEqual([10])
  })

  it.each([
    ['--max-total', 'many'],
    ['--max-total', '-5G'],
    ['--min-free', '110%'],
    ['--min-free', '%'],
    ['--min-free', '10'],
    ['--min-free', '2.5'],
    ['--max-total', '500'],
  ])('%s %s is a mistake', async (flag, value) => {
    const { status, stderr } = await ckpt(['prune', makeRun(), `${flag}=${value}`])
    expect([status, stderr]).toEqual([2, expect.stringMatching(/error: --(max-total|min-free) takes/) as string])
  })
})

describe('a policy in ckpt.yaml', () => {
  it('is taken by prune alone, from the run or above it, and told', async () => {
    const run = makeRun()
    const file = join(run, '..', 'ckpt.yaml')
    writeFileSync(file, 'prune: {keep: 2, min: [WER], keep-every: [epoch=5]}\n')
    const { status, stdout, stderr } = await ckpt(['prune', run, '--dry-run', '--json'])
    expect([status, stderr]).toEqual([0, `the policy is that of ${file}\n`])
    expect(epochs((JSON.parse(stdout) as Answer).keep)).toEqual([4, 5, 9, 10])
    const inRun = join(run, 'ckpt.yaml')
    writeFileSync(inRun, `prune:\n  where: 'epoch > 7'\n  keep-first: true\n  older-than: 1h\n  verify: none\n`)
    const nearest = await ckpt(['prune', run, '--yes'])
    expect([nearest.status, nearest.stderr]).toEqual([0, `the policy is that of ${inRun}\n`])
    expect(readdirSync(run)).toEqual([...[1, 2, 3, 4, 5, 6, 7, 8, 10].map(name), 'ckpt.yaml'])
  })

  it('without a section for prune does not hide one further up', async () => {
    const run = makeRun()
    writeFileSync(join(run, 'ckpt.yaml'), '# nothing\n')
    writeFileSync(join(run, '..', 'ckpt.yaml'), 'prune: {keep: 1}\n')
    expect(epochs((await plan(run)).keep)).toEqual([10])
  })

  it('is replaced as a whole by one on the command line', async () => {
    const run = makeRun()
    writeFileSync(join(run, 'ckpt.yaml'), 'prune: {keep: 2, min: [WER]}\n')
    const { stdout, stderr } = await ckpt(['prune', run, '--dry-run', '--json', '--keep', '1'])
    expect([epochs((JSON.parse(stdout) as Answer).keep), stderr]).toEqual([[10], ''])
  })

  it.each([
    ['prune:\n  keap: 2\n', ':2:3: "keap" is not a flag of prune', 'did you mean keep?'],
    ['prune:\n  keep: two\n', ':2:9: ', undefined],
    ['prune:\n  keep: 2\n  older-than: soon\n', ':3:15: --older-than takes a duration, not "soon"', undefined],
    ['prune:\n  keep-every: [epoch=10, epoch]\n', ':2:16: --keep-every takes a key', undefined],
    ['prune:\n  where: "epoch >"\n', ':2:10: ', undefined],
    ['prune:\n  keep: [1, 2]\n', ':2:3: keep takes one value', undefined],
    ['prune:\n  remove-damaged: perhaps\n', ':2:19: remove-damaged is true or false', undefined],
  ])('with a mistake tells its place: %j', async (text, place, hint) => {
    const run = makeRun()
    const file = join(run, 'ckpt.yaml')
    writeFileSync(file, text)
    const { status, stderr } = await ckpt(['prune', run, '--yes'])
    expect([status, stderr]).toEqual([2, expect.stringContaining(file + place) as string])
    if (hint !== undefined) expect(stderr).toContain(hint)
    expect(readdirSync(run)).toHaveLength(11)
  })

  it('is not there: a prune without a policy is refused', async () => {
    const { status, stderr } = await ckpt(['prune', makeRun(), '--yes'])
    expect([status, stderr]).toEqual([5, expect.stringContaining('no policy given') as string])
  })
})
