import { readdirSync, readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { document, epochs, makeRun, nameOf, parse, snapshot, type Failed } from './runs.js'

interface Pruned {
  readonly keep: readonly { readonly name: string; readonly reasons: readonly string[] }[]
  readonly remove: readonly { readonly name: string }[]
  readonly failed: readonly unknown[]
  readonly freedBytes: number
  readonly applied: boolean
}

async function plan(run: string, ...args: string[]): Promise<{ kept: string[]; removed: string[] }> {
  const { keep, remove } = await document<Pruned>(['prune', run, '--dry-run', ...args])
  return { kept: keep.map(({ name }) => name), removed: remove.map(({ name }) => name) }
}

/** Names left in the run's folder. */
function left(run: string): string[] {
  return readdirSync(run).sort()
}

describe('the plan', () => {
  it('gives a reason for all that stays, and tells what goes', async () => {
    const run = makeRun(epochs(6))
    const { stdout } = await ckpt(['prune', run, '--keep', '2', '--min', 'loss', '--dry-run'])
    expect(stdout).toContain(`${run}: 4 checkpoints stay`)
    expect(stdout).toMatch(/CKPT\+ep006 .* the newest whole one; newest$/m)
    expect(stdout).toMatch(/CKPT\+ep003 .* best by --min loss$/m)
    expect(stdout).toContain('to remove: 2 checkpoints')
    const { keep, remove, applied } = await document<Pruned>(['prune', run, '--keep', '2', '--min', 'loss', '-n'])
    expect(keep.map(({ name }) => name)).toEqual([6, 5, 4, 3].map(nameOf))
    expect(keep.every(({ reasons }) => reasons.length > 0)).toBe(true)
    expect(remove.map(({ name }) => name)).toEqual([2, 1].map(nameOf))
    expect(applied).toBe(false)
  })

  it('tells that the best is among what goes, also where it is damaged', async () => {
    const run = makeRun(epochs(4))
    writeFileSync(join(run, nameOf(2), 'model.ckpt'), '')
    const { stdout } = await ckpt(['prune', run, '--remove-damaged', '--dry-run'])
    expect(stdout).toMatch(/CKPT\+ep002 .* corrupt: model\.ckpt: 0 bytes; the best loss of all, though damaged; /)
    const { stdout: more } = await ckpt(['prune', run, '--keep', '1', '--remove-damaged', '--dry-run'])
    expect(more).toMatch(/CKPT\+ep002 .* the best loss of all, though damaged/)
    expect(more).toMatch(/CKPT\+ep003 .* the best loss of those that are whole/)
  })

  it('changes nothing with --dry-run', async () => {
    const run = makeRun(epochs(4))
    const before = snapshot(dirname(run))
    expect((await ckpt(['prune', run, '--keep', '1', '--dry-run', '--yes'])).status).toBe(0)
    expect(snapshot(dirname(run))).toEqual(before)
  })

  it('--where says what may go; the rest stays and takes no place', async () => {
    const run = makeRun(epochs(6))
    expect(await plan(run, '--where', 'not end-of-epoch', '--keep', '1')).toEqual({
      kept: [6, 5, 4, 2].map(nameOf),
      removed: [3, 1].map(nameOf),
    })
  })

  it('keeps what lacks the value of every order', async () => {
    const run = makeRun({ ...epochs(3), 'CKPT+ep000': 'unixtime: 1.0\nepoch: 0\n' })
    expect((await plan(run, '--min', 'WER', '--no-keep-recent')).kept).toEqual([nameOf(3), 'CKPT+ep000'])
  })

  it('keep-rules rescue what the orders would let go', async () => {
    const run = makeRun(epochs(6))
    expect((await plan(run, '--keep', '1', '--keep-every', 'epoch=3')).kept).toEqual([6, 3].map(nameOf))
    expect((await plan(run, '--keep', '1', '--keep-where', 'epoch < 3')).kept).toEqual([6, 2, 1].map(nameOf))
    expect((await plan(run, '--keep', '1', '--keep-first')).kept).toEqual([6, 1].map(nameOf))
    expect((await plan(run, '--older-than', '9999d')).removed).toEqual([])
  })

  it('keeps averaged models whose metric cannot be, and says so', async () => {
    const run = makeRun({ ...epochs(3), 'CKPT+ep000': 'unixtime: 1.0\nACC: 1.1\nWER: -0.1\n' })
    const { keep } = await document<Pruned>(['prune', run, '--keep', '1', '--min', 'loss', '-n'])
    expect(keep.find(({ name }) => name === 'CKPT+ep000')?.reasons.join()).toMatch(/1\.1|-0\.1/)
  })

  it('keeps damaged ones, which take no place, unless --remove-damaged', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    const names = (...ends: string[]) => ends.map((end) => `CKPT+2026-11-22+20-46-49+${end}`)
    expect((await plan(run, '--keep', '1', '--verify', 'quick')).removed).toEqual(names('03', '02', '01', '00'))
    expect((await plan(run, '--keep', '1')).removed).toEqual(names('02', '01', '00'))
    const all = await plan(run, '--keep', '1', '--remove-damaged')
    expect(all.kept).toEqual(names('03'))
    expect((await plan(run, '--keep', '1', '--verify', 'none')).kept[0]).toBe('CKPT+2026-11-22+20-46-49+09')
  })

  it('keeps all when an order or a rule names a key that no checkpoint has: it is a slip', async () => {
    const run = makeRun(epochs(3))
    for (const args of [
      ['--min', 'WERR'],
      ['--keep', '1', '--keep-every', 'epochs=2'],
      ['--by', '-los'],
    ]) {
      const got = await ckpt(['prune', run, ...args, '--yes'])
      expect(got.status).toBe(0)
      expect(got.stderr).toMatch(/did you mean/)
      expect(left(run)).toHaveLength(3)
    }
    const typo = await ckpt(['prune', run, '--where', 'WERR > 3', '--keep', '0', '--yes'])
    expect(typo.status).toBe(0)
    expect(typo.stderr).toContain('did you mean "WER"?')
    expect(left(run)).toHaveLength(3)
  })
})

describe('deleting', () => {
  it('refuses without a terminal and without --yes, the plan shown, and changes nothing', async () => {
    const run = makeRun(epochs(4))
    const before = snapshot(dirname(run))
    const got = await ckpt(['prune', run, '--keep', '1'], { input: 'y\n' })
    expect(got.status).toBe(5)
    expect(got.stdout).toContain('to remove: 3 checkpoints')
    expect(got.stderr).toContain('--yes')
    expect((await ckpt(['prune', run, '--keep', '1', '--json'], { input: 'y\n' })).status).toBe(5)
    expect(snapshot(dirname(run))).toEqual(before)
  })

  it('removes exactly what the plan says, and nothing that is not a checkpoint', async () => {
    const run = makeRun({
      ...epochs(5),
      'CKPT+no-meta': { 'model.ckpt': 'x' },
      other: { 'CKPT.yaml': 'unixtime: 1\n' },
    })
    writeFileSync(join(run, 'CKPT.log'), 'log')
    writeFileSync(join(run, 'train.log'), 'log')
    const outside = join(dirname(run), 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'x')
    symlinkSync(outside, join(run, nameOf(1), 'link'))
    symlinkSync(join(outside, 'precious'), join(run, nameOf(2), 'precious.ckpt'))
    const dry = await document<Pruned>(['prune', run, '--keep', '2', '-n'])
    const done = await document<Pruned>(['prune', run, '--keep', '2', '--yes', '--verify', 'quick'])
    expect(done.applied).toBe(true)
    expect(done.remove.map(({ name }) => name)).toEqual(dry.remove.map(({ name }) => name))
    expect(done.failed).toEqual([])
    expect(left(run)).toEqual(['CKPT+no-meta', 'CKPT.log', nameOf(4), nameOf(5), 'other', 'train.log'].sort())
    expect(left(join(run, 'CKPT+no-meta'))).toEqual(['model.ckpt'])
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x')
    expect(readdirSync(dirname(run)).sort()).toEqual(['.ckpt', 'outside', 'save'])
    expect(left(join(dirname(run), '.ckpt', basename(run)))).toEqual(['journal.jsonl'])
  })

  it('says how much it freed', async () => {
    const run = makeRun(epochs(3))
    const got = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(got.stdout).toMatch(/removed 2 checkpoints, .*freed/)
    expect(left(run)).toEqual([nameOf(3)])
    const again = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(again).toMatchObject({ status: 0 })
    expect(again.stdout).toContain('nothing to remove')
  })

  it('leaves a checkpoint that is a link alone with what it leads to', async () => {
    const run = makeRun(epochs(3))
    const elsewhere = makeRun({ 'CKPT+far': 'unixtime: 5.0\n' })
    symlinkSync(join(elsewhere, 'CKPT+far'), join(run, 'CKPT+link'))
    await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(left(elsewhere)).toEqual(['CKPT+far'])
    expect(left(join(elsewhere, 'CKPT+far'))).toEqual(['CKPT.yaml', 'model.ckpt'])
  })
})

describe('policies that cannot be meant', () => {
  it.each([
    [['--keep', '-1'], 2, 'usage'],
    [['--keep', '1.5'], 2, 'usage'],
    [['--keep', 'two'], 2, 'usage'],
    [['--older-than', 'yesterday', '--keep', '1'], 2, 'usage'],
    [['--where', 'loss <', '--keep', '1'], 2, 'bad-expression'],
    [[], 5, 'refused'],
    [['--no-protect'], 5, 'refused'],
    [['--no-protect', '--allow-empty'], 5, 'refused'],
    [['--keep', '0', '--no-protect'], 5, 'refused'],
  ])('%j with --yes: exit %i, and nothing is touched', async (args, status, code) => {
    const run = makeRun(epochs(3))
    const before = snapshot(dirname(run))
    const got = await ckpt(['prune', run, ...args, '--yes', '--json'])
    expect(got.status).toBe(status)
    expect(parse<Failed>(got).error.code).toBe(code)
    expect(snapshot(dirname(run))).toEqual(before)
  })

  it('--keep 0 leaves the newest whole one, unless nothing is protected and the run may be emptied', async () => {
    const run = makeRun(epochs(3))
    expect((await plan(run, '--keep', '0')).kept).toEqual([nameOf(3)])
    expect((await plan(run, '--keep', '0', '--allow-empty')).kept).toEqual([nameOf(3)])
    expect((await plan(run, '--keep', '0', '--no-protect', '--allow-empty')).kept).toEqual([])
  })

  it("the tutorial's reset empties the run of checkpoints and leaves the rest", async () => {
    const run = copyFixture('runs/nutshell')
    writeFileSync(join(run, 'log.txt'), 'log')
    const got = await ckpt(['prune', run, '--keep', '0', '--no-protect', '--allow-empty', '--yes'])
    expect(got.status).toBe(0)
    expect(left(run)).toEqual(['log.txt'])
    expect(left(join(dirname(run), '.ckpt', basename(run)))).toEqual(['journal.jsonl'])
    expect((await ckpt(['list', run])).status).toBe(3)
  })
})

describe('a written plan', () => {
  it('holds what is to go with --dry-run too', async () => {
    const run = copyFixture('runs/asr_run')
    const file = join(dirname(run), 'plan.json')
    expect((await ckpt(['prune', run, '--keep', '1', '--plan', file, '--dry-run'])).status).toBe(0)
    const before = left(run).length
    expect((await ckpt(['prune', '--apply', file, '--yes'])).status).toBe(0)
    expect(left(run).length).toBeLessThan(before)
  })

  it('goes by what is whole to its last byte when it is done, and not when it was made', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    const file = join(dirname(run), 'plan.json')
    const named = (end: string) => `CKPT+2026-11-22+20-46-49+${end}`
    expect((await ckpt(['prune', run, '--keep', '1', '--plan', file])).status).toBe(0)
    const model = join(run, named('03'), 'model.ckpt')
    const bytes = readFileSync(model)
    const middle = bytes.length >> 1
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    writeFileSync(model, bytes)
    const { status, stderr } = await ckpt(['prune', '--apply', file, '--yes'])
    expect(status).toBe(6)
    expect(stderr).toMatch(/\+02 stays: protected since the plan was made: the newest whole one/)
    expect(left(run)).toContain(named('02'))
    expect(left(run)).not.toContain(named('01'))
  })

  it('is done in the very folder that it names, and in none below', async () => {
    const run = makeRun(epochs(3))
    const file = join(dirname(run), 'plan.json')
    expect((await ckpt(['prune', run, '--keep', '1', '--plan', file])).status).toBe(0)
    const before = left(run)
    writeFileSync(file, readFileSync(file, 'utf8').replace(JSON.stringify(run), JSON.stringify(dirname(run))))
    const { status, stderr } = await ckpt(['prune', '--apply', file, '--yes'])
    expect([status, stderr]).toEqual([3, expect.stringContaining(`no checkpoints in ${dirname(run)}`)])
    expect(left(run)).toEqual(before)
  })

  it('takes the settings of its run, and none of the working folder', async () => {
    const run = makeRun(epochs(3))
    const file = join(dirname(run), 'plan.json')
    expect((await ckpt(['prune', run, '--keep', '1', '--plan', file])).status).toBe(0)
    const elsewhere = temporaryDirectory()
    writeFileSync(join(elsewhere, 'ckpt.yaml'), 'yes: true\nprune:\n  state: nowhere\n  keep: 3\n')
    const asked = await ckpt(['prune', '--apply', file], { cwd: elsewhere })
    expect([asked.status, asked.stderr]).toEqual([5, expect.stringContaining('--yes')])
    writeFileSync(join(run, 'ckpt.yaml'), 'prune:\n  yes: true\n  trash: true\n  keep: 3\n')
    const { status, stderr } = await ckpt(['prune', '--apply', file], { cwd: elsewhere })
    expect([status, stderr]).toEqual([0, expect.stringContaining(`nothing is asked: ${join(run, 'ckpt.yaml')}:2`)])
    const { trash } = await document<{ trash: object[] }>(['trash', 'list', run])
    expect(trash).toHaveLength(2)
  })

  it('stands in the journal with the policy that it was made by', async () => {
    const run = makeRun(epochs(3))
    const file = join(dirname(run), 'plan.json')
    expect((await ckpt(['prune', run, '--keep', '1', '--verify', 'quick', '--plan', file])).status).toBe(0)
    expect((await ckpt(['prune', '--apply', file, '--yes'])).status).toBe(0)
    const { removals } = await document<{ removals: { policy: string }[] }>(['log', run])
    expect(removals.map(({ policy }) => policy)).toEqual(Array(2).fill(`--keep 1 (--apply ${file})`))
  })
})
