import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun } from './runs.js'
import { processes } from '../../src/machine/process-identity.js'
import { formatSize } from '../../src/render/units.js'

interface ManyDocument {
  readonly runs: readonly {
    readonly run: string
    readonly remove: readonly unknown[]
    readonly failed: readonly unknown[]
  }[]
  readonly leftAlone: readonly { readonly run: string; readonly reason: string }[]
  readonly applied: boolean
}

/** Runs of a sweep, by name how many epochs each has. */
function sweep(runs: Readonly<Record<string, number>>): string {
  const root = temporaryDirectory()
  for (const [name, count] of Object.entries(runs)) makeRun(epochs(count), join(root, name, 'save'))
  return root
}

function left(root: string, ...names: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(names.map((name) => [name, readdirSync(join(root, name, 'save')).sort()]))
}

async function document(args: readonly string[]): Promise<ManyDocument> {
  return JSON.parse((await ckpt(['prune', ...args, '--json'])).stdout) as ManyDocument
}

describe('ckpt prune -r', () => {
  it('removes exactly what a prune of each run by itself removes', async () => {
    const root = sweep({ a: 6, b: 3, c: 1, 'deep/d': 5 })
    const alone = join(temporaryDirectory(), 'copy')
    cpSync(root, alone, { recursive: true, preserveTimestamps: true })
    const names = ['a', 'b', 'c', 'deep/d']
    for (const name of names) await ckpt(['prune', join(alone, name, 'save'), '--keep', '2', '--min', 'loss', '--yes'])
    const { status, stdout } = await ckpt(['prune', '-r', root, '--keep', '2', '--min', 'loss', '--yes'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/removed \d+ checkpoints of 3 runs/)
    expect(left(root, ...names)).toEqual(left(alone, ...names))
  })

  it('shows one plan, the run that loses most first, and changes nothing with --dry-run', async () => {
    const root = sweep({ a: 3, b: 6 })
    const before = left(root, 'a', 'b')
    const { status, stdout } = await ckpt(['prune', '-r', root, '--keep', '1', '--dry-run'])
    expect(status).toBe(0)
    const rows = stdout.split('\n')
    expect(rows[1]).toContain(join(root, 'b/save'))
    expect(rows[2]).toContain(join(root, 'a/save'))
    expect(stdout).toMatch(/2 runs: 2 checkpoints \(.*\) stay; 7 \(.*\) of 2 runs go/)
    expect(left(root, 'a', 'b')).toEqual(before)
  })

  it('counts what stays and what goes by the same measure, and says of which run a metric is missing', async () => {
    const root = sweep({ a: 3 })
    const policy = ['--keep', '1', '--dry-run']
    const many = (await ckpt(['prune', '-r', root, ...policy])).stdout
    const alone = await ckpt(['prune', join(root, 'a/save'), ...policy, '--json'])
    type Planned = Record<'keep' | 'remove', { bytes: number }[]> & { freedBytes: number }
    const { keep, remove, freedBytes } = JSON.parse(alone.stdout) as Planned
    const stays = keep.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(freedBytes).toBe(remove.reduce((sum, { bytes }) => sum + bytes, 0))
    expect(many).toContain(`(${formatSize(stays)}) stay`)
    const { stderr } = await ckpt(['prune', '-r', root, '--min', 'nosuch', ...policy])
    expect(stderr).toContain(`${join(root, 'a/save')}: no checkpoint has "nosuch"`)
  })

  it('counts a file whose names go in several runs once in a plan, when it is applied, and in du', async () => {
    const root = sweep({ a: 2, b: 2 })
    const [first] = readdirSync(join(root, 'a/save')).sort()
    const [one, other] = ['a', 'b'].map((run) => join(root, run, 'save', first ?? '', 'model.ckpt'))
    writeFileSync(one ?? '', Buffer.alloc(50_000, 'x'))
    rmSync(other ?? '')
    linkSync(one ?? '', other ?? '')
    const old = new Date('2024-01-01')
    utimesSync(one ?? '', old, old)
    const policy = ['-r', root, '--keep', '1', '--quiet-for', '0s']
    const freed = async (args: readonly string[]) =>
      (JSON.parse((await ckpt([...args, '--json'])).stdout) as { freedBytes: number }).freedBytes
    const planned = await freed(['prune', ...policy, '--dry-run'])
    expect(planned).toBeGreaterThan(50_000)
    expect(planned).toBeLessThan(100_000)
    expect(await freed(['du', root])).toBe(planned)
    const plan = join(temporaryDirectory(), 'plan.json')
    await ckpt(['prune', ...policy, '--plan', plan])
    expect(await freed(['prune', '-r', root, '--apply', plan, '--dry-run'])).toBe(planned)
    expect(await freed(['prune', ...policy, '--yes'])).toBe(planned)
  })

  it('leaves no run alone for a write, by a clock that is ahead too, where none is asked for', async () => {
    const root = sweep({ a: 3 })
    const soon = new Date(Date.now() + 60_000)
    utimesSync(join(root, 'a/save', 'CKPT+ep003', 'model.ckpt'), soon, soon)
    const asked = ['-r', root, '--keep', '1']
    const { leftAlone } = await document([...asked, '--dry-run'])
    expect(leftAlone).toMatchObject([{ reason: 'it was written to 1s ago: --quiet-for' }])
    const { runs } = await document([...asked, '--quiet-for', '0s', '--dry-run'])
    expect(runs.map(({ remove }) => remove.length)).toEqual([2])
  })

  it('shows each checkpoint of each run with its reason with --all', async () => {
    const root = sweep({ a: 3, b: 3 })
    const { stdout } = await ckpt(['prune', '-r', root, '--keep', '1', '--dry-run', '--all'])
    for (const run of ['a', 'b']) {
      const alone = (await ckpt(['prune', join(root, run, 'save'), '--keep', '1', '--dry-run'])).stdout
      for (const line of alone.split('\n')) expect(stdout).toContain(line)
    }
  })

  it('touches nothing below a .ckptignore that cannot be read, tells it, and does the others', async () => {
    const root = sweep({ a: 3, 'papers/b': 3, 'linked/c': 3 })
    mkdirSync(join(root, 'papers', '.ckptignore'))
    writeFileSync(join(root, 'rules'), 'c\n')
    symlinkSync('../rules', join(root, 'linked', '.ckptignore'))
    const before = left(root, 'papers/b', 'linked/c')
    const { status, stdout, stderr } = await ckpt(['prune', '-r', root, '--keep', '1', '--yes'])
    expect(status).toBe(6)
    expect(stdout).toMatch(/removed 2 checkpoints of 1 run/)
    for (const folder of ['papers', 'linked']) {
      expect(stderr).toContain(`${join(root, folder, '.ckptignore')} could not be read: is not a regular file`)
    }
    expect(left(root, 'papers/b', 'linked/c')).toEqual(before)
    expect(JSON.parse((await ckpt(['list', '-r', root, '--json'])).stdout)).toMatchObject({ runs: [{}, {}, {}] })
  })

  it('refuses without --yes where nobody can be asked', async () => {
    const root = sweep({ a: 3 })
    expect((await ckpt(['prune', '-r', root, '--keep', '1'])).status).toBe(5)
    expect(left(root, 'a')['a']).toHaveLength(3)
  })

  it('asks the ckpt.yaml nearest to each run where no policy is typed', async () => {
    const root = sweep({ a: 4, b: 4 })
    writeFileSync(join(root, 'ckpt.yaml'), 'prune: {keep: 1}\n')
    writeFileSync(join(root, 'b/ckpt.yaml'), 'prune: {keep: 3}\n')
    await ckpt(['prune', '-r', root, '--yes'])
    expect(left(root, 'a')['a']).toHaveLength(1)
    expect(left(root, 'b')['b']).toHaveLength(3)
  })

  it('leaves a run alone that was just written to, or whose settings are wrong, tells why, and does the others', async () => {
    const root = sweep({ a: 3, live: 3, wrong: 3 })
    const now = new Date()
    utimesSync(join(root, 'live/save', 'CKPT+ep003', 'model.ckpt'), now, now)
    writeFileSync(join(root, 'wrong/ckpt.yaml'), 'prune: {kep: 1}\n')
    const copy = join(temporaryDirectory(), 'copy')
    cpSync(root, copy, { recursive: true, preserveTimestamps: true })
    const { status, stdout } = await ckpt(['prune', '-r', root, '--keep', '1', '--yes'])
    expect(status).toBe(6)
    expect(stdout).toMatch(/left alone: .*live\/save: it was written to .* ago/)
    expect(stdout).toMatch(/left alone: .*wrong\/save: .*ckpt\.yaml:1/)
    expect(left(root, 'a')['a']).toHaveLength(1)
    expect(left(root, 'live')['live']).toHaveLength(3)
    const { runs, leftAlone } = await document(['-r', copy, '--keep', '1', '--quiet-for', '0s', '--yes'])
    expect(runs.map(({ remove }) => remove.length)).toEqual([2, 2])
    expect(leftAlone.map(({ run }) => run)).toEqual([join(copy, 'wrong/save')])
  })

  it('refuses to free a disk run by run', async () => {
    const { leftAlone } = await document(['-r', sweep({ a: 3 }), '--min-free', '10%', '--yes'])
    expect(leftAlone[0]?.reason).toContain('--min-free')
  })
})

describe('ckpt prune -r --plan and --apply', () => {
  it('writes down what is to go with --dry-run too', async () => {
    const root = sweep({ a: 3, b: 2 })
    const file = join(root, 'plan.json')
    await ckpt(['prune', '-r', root, '--keep', '1', '--plan', file, '--dry-run'])
    const { status, stdout } = await ckpt(['prune', '-r', '--apply', file, '--yes'])
    expect(stdout).toMatch(/removed 3 checkpoints of 2 runs/)
    expect(status).toBe(0)
  })

  it('writes the plan of all runs down, changes nothing, and does exactly that later', async () => {
    const root = sweep({ a: 4, b: 3, c: 1 })
    const file = join(root, 'plan.json')
    const before = left(root, 'a', 'b', 'c')
    await ckpt(['prune', '-r', root, '--keep', '1', '--plan', file])
    expect(left(root, 'a', 'b', 'c')).toEqual(before)
    makeRun(epochs(5), join(root, 'a/save'))
    const { status, stdout } = await ckpt(['prune', '-r', '--apply', file, '--yes'])
    expect(stdout).toMatch(/removed 5 checkpoints of 2 runs/)
    expect(status).toBe(0)
    expect(left(root, 'a', 'b', 'c')).toEqual({
      a: ['CKPT+ep004', 'CKPT+ep005'],
      b: ['CKPT+ep003'],
      c: ['CKPT+ep001'],
    })
  })

  it('tells a run that has vanished and a checkpoint that has changed, and does the rest', async () => {
    const root = sweep({ a: 3, b: 3 })
    const file = join(root, 'plan.json')
    await ckpt(['prune', '-r', root, '--keep', '1', '--plan', file])
    rmSync(join(root, 'a'), { recursive: true })
    writeFileSync(join(root, 'b/save/CKPT+ep001/model.ckpt'), 'another')
    const { status, stdout, stderr } = await ckpt(['prune', '--apply', file, '--quiet-for', '0s', '--yes'])
    expect(status).toBe(6)
    expect(stdout).toMatch(/left alone: .*a\/save/)
    expect(stderr).toContain('CKPT+ep001')
    expect(left(root, 'b')['b']).toEqual(['CKPT+ep001', 'CKPT+ep003'])
  })

  it('does the rest where meanwhile one run vanishes, one is saved to, one cannot be read, and the lock of one is of the dead', async () => {
    const root = sweep({ gone: 3, live: 3, dead: 3, unread: 3, fine: 3 })
    const file = join(root, 'plan.json')
    await ckpt(['prune', '-r', root, '--keep', '1', '--plan', file])
    rmSync(join(root, 'gone'), { recursive: true })
    mkdirSync(join(root, 'live/save/CKPT+ep009'))
    // For root, too, a folder that is none any more cannot be read.
    renameSync(join(root, 'unread/save'), join(root, 'unread/elsewhere'))
    writeFileSync(join(root, 'unread/save'), '')
    const lock = join(root, 'dead/.ckpt/save/lock')
    mkdirSync(lock, { recursive: true })
    const owner = { ...processes('ckpt prune').self, started: '1' }
    const token = '6f1c7d2e-8a4b-4c1d-9e3f-0123456789ab'
    writeFileSync(join(lock, 'owner.json'), JSON.stringify({ version: 1, token, time: 1, owner }))
    const { status, stdout } = await ckpt(['prune', '--apply', file, '--quiet-for', '0s', '--yes'])
    expect(status).toBe(6)
    expect(stdout).toMatch(/left alone: .*gone\/save/)
    expect(stdout).toMatch(/left alone: .*unread\/save/)
    expect(left(root, 'live', 'dead', 'fine')).toEqual({
      live: ['CKPT+ep003', 'CKPT+ep009'],
      dead: ['CKPT+ep003'],
      fine: ['CKPT+ep003'],
    })
    expect(readdirSync(join(root, 'unread/elsewhere'))).toHaveLength(3)
  })

  it('refuses what is no such plan, and a plan for runs elsewhere', async () => {
    const root = sweep({ a: 3 })
    const file = join(root, 'plan.json')
    writeFileSync(file, '{"kind": "ckpt prune plans", "version": 1, "runs": [{"kind": "?"}]}')
    expect((await ckpt(['prune', '-r', '--apply', file, '--yes'])).status).toBe(2)
    rmSync(file)
    await ckpt(['prune', '-r', root, '--keep', '1', '--plan', file])
    expect((await ckpt(['prune', '-r', temporaryDirectory(), '--apply', file, '--yes'])).status).toBe(2)
  })
})

describe('ckpt prune -r --across', () => {
  it('keeps the best of all runs, and of each run what protection keeps', async () => {
    const root = sweep({ a: 6, b: 4 })
    await ckpt(['prune', '-r', root, '--across', '--keep', '1', '--max', 'ACC', '--no-keep-recent', '--yes'])
    expect(left(root, 'a', 'b')).toEqual({ a: ['CKPT+ep006'], b: ['CKPT+ep004'] })
    const other = sweep({ a: 6, b: 4 })
    await ckpt(['prune', '-r', other, '--across', '--keep', '2', '--min', 'WER', '--no-keep-recent', '--yes'])
    expect(left(other, 'a', 'b')).toEqual({ a: ['CKPT+ep005', 'CKPT+ep006'], b: ['CKPT+ep004'] })
  })

  it('refuses a space target, and to stand without -r', async () => {
    const root = sweep({ a: 3 })
    expect((await ckpt(['prune', '-r', root, '--across', '--max-total', '1G', '--yes'])).status).toBe(2)
    expect((await ckpt(['prune', root, '--across', '--keep', '1', '--yes'])).status).toBe(2)
  })
})

describe('ckpt pin', () => {
  it('--best pins the best of a run; --until ends the pin by itself', async () => {
    const root = sweep({ a: 5 })
    const run = join(root, 'a/save')
    expect((await ckpt(['pin', run, '--best', '--min', 'loss', '--until', '90d', '--note', 'review'])).stdout).toBe(
      'pinned CKPT+ep003\n',
    )
    const listed = await ckpt(['list', run])
    expect(listed.stdout).toMatch(/CKPT\+ep003.*pinned until 20\d\d-.*: review/)
    await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(left(root, 'a')['a']).toEqual(['CKPT+ep003', 'CKPT+ep005'])
    const pins = join(root, 'a/.ckpt/save/pins.json')
    const rewrite = (from: RegExp, to: string) => writeFileSync(pins, readFileSync(pins, 'utf8').replace(from, to))
    rewrite(/"until": [\d.]+/, '"until": 1000')
    const doubted = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(doubted.stderr).toContain('the pin of CKPT+ep003 ends before it was made')
    expect(left(root, 'a')['a']).toEqual(['CKPT+ep003', 'CKPT+ep005'])
    rewrite(/"time": [\d.]+/, '"time": 900')
    const ended = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(ended.stderr).toContain('the pin of CKPT+ep003 has ended (1970-01-01T00:16:40.000Z)')
    expect(left(root, 'a')['a']).toEqual(['CKPT+ep005'])
  })

  it('--until takes a date as well as a time from now', async () => {
    const run = join(sweep({ a: 1 }), 'a/save')
    for (const until of [['--until', '2999-03-01'], ['--until=2999-03-01']]) {
      const { status, stdout } = await ckpt(['pin', join(run, 'CKPT+ep001'), ...until, '--json'])
      expect(status).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ pinned: [{ until: Date.parse('2999-03-01') / 1000 }] })
    }
    expect((await ckpt(['list', run])).stdout).toMatch(/pinned until 2999-03-01/)
  })

  it('--until refuses what is not a date and what has passed', async () => {
    const run = join(sweep({ a: 1 }), 'a/save')
    for (const until of ['soon', '2001-01-01', '2999-13-45', '2999-02-30', '2999-02-29T12:00Z', '2999-03-01 (x)']) {
      expect((await ckpt(['pin', run, '--best', '--min', 'loss', '--until', until])).status).toBe(2)
    }
  })
})
