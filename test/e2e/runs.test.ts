import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { formatSize } from '../../src/render/units.js'
import { document as answerOf, epochs, makeRun, nameOf } from './runs.js'

interface RunsDocument {
  readonly runs: readonly {
    readonly run: string
    readonly layout: string
    readonly checkpoints: number
    readonly best: { readonly metric: string; readonly value: number; readonly name: string } | null
  }[]
}

let root = ''

beforeAll(() => {
  root = temporaryDirectory()
  makeRun(epochs(6), join(root, 'wide', 'save'))
  makeRun(epochs(2), join(root, 'narrow', 'save'))
  makeRun({ 'CKPT+a': 'score: 1\nunixtime: 1\n' }, join(root, 'other', 'save'))
})

async function rows(args: readonly string[]): Promise<string[][]> {
  const { stdout } = await ckpt(['runs', ...args])
  return stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/ {2,}/))
}

async function document(args: readonly string[]): Promise<RunsDocument> {
  const { stdout } = await ckpt(['runs', ...args, '--json'])
  return JSON.parse(stdout) as RunsDocument
}

describe('ckpt runs', () => {
  it('gives one row a run, with its absolute path in a pipe', async () => {
    const [narrow, other, wide] = await rows([root])
    expect(narrow?.slice(0, 3)).toEqual([join(root, 'narrow/save'), 'speechbrain', '2'])
    expect(other?.[0]).toBe(join(root, 'other/save'))
    expect(wide?.slice(0, 3)).toEqual([join(root, 'wide/save'), 'speechbrain', '6'])
    expect(wide?.join(' ')).toContain('WER=94.5')
  })

  it('ranks the runs by their best checkpoint, and leaves out those without the value', async () => {
    const { runs } = await document([root, '--min', 'WER'])
    expect(runs.map(({ run }) => relative(root, dirname(run)))).toEqual(['wide', 'narrow'])
    expect(runs[0]?.best).toMatchObject({ metric: 'WER', name: nameOf(6) })
    expect((await rows([root, '--min', 'WER', '--limit', '1'])).map(([run]) => run)).toEqual([join(root, 'wide/save')])
  })

  it('sorts the rows by a column or a key of the newest checkpoint, those without a value last', async () => {
    const order = async (column: string) =>
      (await document([root, '--sort', column])).runs.map(({ run }) => relative(root, dirname(run)))
    expect(await order('-checkpoints')).toEqual(['wide', 'narrow', 'other'])
    expect(await order('size')).toEqual([...(await order('-size'))].reverse())
    expect(await order('-run')).toEqual(['wide', 'other', 'narrow'])
    expect(await order('WER')).toEqual(['wide', 'narrow', 'other'])
    expect(await order('-WER')).toEqual(['narrow', 'wide', 'other'])
    const { status, stderr } = await ckpt(['runs', root, '--sort', 'nothing'])
    expect(status).toBe(2)
    expect(stderr).toContain('nothing')
  })

  it('shows the columns asked for, of the best checkpoint where runs are ranked', async () => {
    expect(await rows([root, '--min', 'WER', '--columns', 'epoch,run'])).toEqual([
      ['6', join(root, 'wide/save')],
      ['2', join(root, 'narrow/save')],
    ])
    expect((await rows([root, '--columns', 'epoch']))[0]).toEqual([join(root, 'narrow/save'), '2'])
  })

  it('adds and takes away columns; what ranks by an expression is the title of its values', async () => {
    const { stdout } = await ckpt(['runs', root, '--columns', '+WER,-layout,-best-checkpoint'])
    const [head] = stdout.split('\n')
    expect(head).toMatch(/^RUN +CHECKPOINTS .* WER +SIZE$/)
    expect(head).not.toMatch(/LAYOUT|BEST CHECKPOINT/)
    const ranked = (await ckpt(['runs', root, '--by', '-WER'])).stdout.split('\n')
    expect(ranked[0]).toContain('--by -WER')
    expect(ranked[1]).toMatch(/ -94\.5 /)
    expect(await ckpt(['runs', root, '--columns', '+WER,loss'])).toMatchObject({ status: 2 })
  })

  it('takes part with the checkpoints that --where selects', async () => {
    const { runs } = await document([root, '--where', 'epoch > 2'])
    expect(runs.map(({ run }) => relative(root, run))).toEqual(['wide/save'])
    expect(runs[0]).toMatchObject({ checkpoints: 6, matching: 4 })
  })

  it('agrees with list -r on counts and bests', async () => {
    const { runs } = await document([root])
    const listed = JSON.parse((await ckpt(['list', '-r', root, '--json'])).stdout) as {
      runs: { run: string; checkpoints: { name: string; marks: string[] }[] }[]
    }
    for (const { run, checkpoints, best } of runs) {
      const same = listed.runs.find((one) => one.run === run)
      expect(same?.checkpoints).toHaveLength(checkpoints)
      if (best === null) continue
      const marks = same?.checkpoints.find(({ name }) => name === best.name)?.marks
      expect(marks?.some((mark) => mark.startsWith('best ') && mark.split(' ').includes(best.metric))).toBe(true)
    }
  })

  it('is a leaderboard with the hyper-parameters that tell the runs apart', async () => {
    const sweep = temporaryDirectory()
    for (const [name, lr] of [
      ['a', '1e-2'],
      ['b', '1e-3'],
    ]) {
      makeRun(epochs(name === 'a' ? 2 : 4), join(sweep, name ?? '', 'save'))
      writeFileSync(join(sweep, name ?? '', 'hyperparams.yaml'), `lr: ${lr}\nseed: 7\nout: !ref <seed>/x\nWER: 1\n`)
    }
    const { stdout } = await ckpt(['runs', sweep, '--min', 'WER'])
    const [head, first] = stdout.split('\n').map((line) => line.split(/ {2,}/))
    expect(head?.slice(0, 4)).toEqual(['RUN', 'lr', 'WER', 'EPOCH'])
    expect(first?.slice(1, 4)).toEqual(['0.001', '96.5', '4'])
    expect(await rows([sweep, '--min', 'WER', '--columns', 'seed,hp.WER', '--where', 'lr < 5e-3'])).toEqual([
      [join(sweep, 'b/save'), '7', '1'],
    ])
    const { runs } = await document([sweep])
    expect(runs[0]).toMatchObject({ hyperparameters: { lr: 0.01, seed: 7, out: '!ref <seed>/x', WER: 1 } })
    const shown = await ckpt(['show', join(sweep, 'a/save')])
    expect(shown.stdout).toMatch(/Hyper-parameters of \.\.\/hyperparams\.yaml/)
  })

  it('tells a key that no run has, and finds nothing', async () => {
    const { status, stderr } = await ckpt(['runs', root, '--min', 'los'])
    expect(status).toBe(3)
    expect(stderr.match(/did you mean "loss"/g)).toHaveLength(1)
  })

  it('calls a best that the framework names without a metric named, and not by its pointer', async () => {
    const [damaged] = (await document([copyFixture('runs/frameworks/espnet/damaged')])).runs
    expect(damaged?.best).toMatchObject({ metric: 'named', value: null, name: '6epoch.pth' })
  })

  it.each([
    [['--columns', 'WRE'], 'error: no checkpoint has "WRE"\nhint: did you mean "WER"?'],
    [['--columns', '+nothing-like-it'], 'hint: see what there is: ckpt show '],
  ])('refuses a column that no checkpoint of any run has: %j', async (flags, told) => {
    const { status, stderr } = await ckpt(['runs', root, ...flags])
    expect(status).toBe(2)
    expect(stderr).toContain(told)
    expect((await ckpt(['runs', root, '--columns', 'score'])).status).toBe(0)
  })

  it('says where there is no run', async () => {
    const empty = temporaryDirectory()
    const { status, stderr } = await ckpt(['runs', empty])
    expect(status).toBe(3)
    expect(stderr).toContain(`no run in ${empty} or below it`)
  })

  it.skipIf(process.getuid?.() === 0)('ends with 6 where the folder of a checkpoint cannot be read', async () => {
    const tree = temporaryDirectory()
    makeRun(epochs(2), join(tree, 'a', 'save'))
    const [first = ''] = readdirSync(makeRun(epochs(3), join(tree, 'b', 'save')))
    const folder = join(tree, 'b', 'save', first)
    chmodSync(folder, 0)
    const all = [['runs'], ['list', '-r'], ['list', '-r', '--group'], ['du'], ['gc', '--older-than', '0s', '--dry-run']]
    const outcomes = await Promise.all(all.map((args) => ckpt([...args, tree])))
    const ofOne = await Promise.all([[], ['--json']].map((args) => ckpt(['list', join(tree, 'b', 'save'), ...args])))
    chmodSync(folder, 0o700)
    expect(ofOne.map(({ status }) => status)).toEqual([6, 6])
    expect(outcomes.map(({ status }) => status)).toEqual(all.map(() => 6))
    const [runs, list, , du] = outcomes
    expect(runs?.stdout).toMatch(/b\/save .*1 unreadable/)
    expect(list?.stdout).toMatch(/unreadable: permission denied/)
    expect(du?.stderr).toContain(`warning: ${folder} could not be read: permission denied\n`)
    expect(await ckpt(['runs', tree])).toMatchObject({ status: 0 })
  })

  it.skipIf(process.getuid?.() === 0)('list ends with 6 also where only a look into the files is refused', async () => {
    const run = makeRun(epochs(2), temporaryDirectory())
    const files = readdirSync(run).map((name) => join(run, name, 'model.ckpt'))
    const look = async (): Promise<unknown[]> =>
      Promise.all(
        [['list'], ['list', '--verify', 'quick'], ['list', '-r', '--verify', 'quick']].map(
          async (args) => (await ckpt([...args, run])).status,
        ),
      )
    for (const [index, expected] of [6, 4].entries()) {
      chmodSync(files[index] ?? '', 0)
      // Nothing is known of a file that was not looked into.
      expect(await look()).toEqual([0, expected, expected])
    }
  })

  it.skipIf(process.getuid?.() === 0)('ends with 6 where a folder cannot be read, and shows the others', async () => {
    const tree = temporaryDirectory()
    makeRun(epochs(1), join(tree, 'a', 'save'))
    mkdirSync(join(tree, 'secret'))
    chmodSync(join(tree, 'secret'), 0)
    const { status, stdout, stderr } = await ckpt(['runs', tree])
    const plotted = await ckpt(['plot', '-r', tree, 'loss'])
    chmodSync(join(tree, 'secret'), 0o700)
    expect([plotted.status, plotted.stderr.match(/secret/g)?.length]).toEqual([6, 1])
    expect(status).toBe(6)
    expect(stdout).toContain(join(tree, 'a/save'))
    expect(stderr.match(/secret/g)).toHaveLength(1)
  })
})

describe('questions to all runs', () => {
  it('list -r is one table, ranked over all runs, and each row has its run', async () => {
    const { stdout } = await ckpt(['list', '-r', root, '--min', 'WER', '--limit', '4', '--columns', 'name,WER'])
    const [head, ...lines] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/))
    expect(head).toEqual(['RUN', 'NAME', 'WER'])
    expect(lines).toHaveLength(4)
    expect(lines.map(([run]) => run)).toEqual(Array(4).fill(join(root, 'wide/save')))
    expect(lines[0]).toEqual([join(root, 'wide/save'), nameOf(6), '94.5'])
  })

  it('list -r --group has a table for each run', async () => {
    const { stdout } = await ckpt(['list', '-r', root, '--group', '--limit', '1'])
    expect(stdout.match(/^RUN /gm)).toHaveLength(3)
  })

  it('find -r --best-per-run prints one path a run, the best first', async () => {
    const { stdout } = await ckpt(['find', '-r', root, '--min', 'WER', '--best-per-run'])
    expect(stdout.trimEnd().split('\n')).toEqual([
      join(root, 'wide/save', nameOf(6)),
      join(root, 'narrow/save', nameOf(2)),
    ])
  })
})

describe('ckpt du', () => {
  it('sums to what the files of the checkpoints have, a file with two names once, the largest run first', async () => {
    const tree = temporaryDirectory()
    makeRun(epochs(2), join(tree, 'small', 'save'))
    const large = makeRun(epochs(3), join(tree, 'large', 'save'))
    writeFileSync(join(large, nameOf(1), 'optimizer.ckpt'), Buffer.alloc(5000))
    linkSync(join(large, nameOf(1), 'optimizer.ckpt'), join(large, nameOf(2), 'optimizer.ckpt'))
    const { stdout } = await ckpt(['du', tree, '--json'])
    const answer = JSON.parse(stdout) as { size: number; runs: { run: string; size: number; freedBytes: number }[] }
    const seen = new Set<number>()
    const sizes = readdirSync(tree, { recursive: true, encoding: 'utf8' }).map((name) => {
      const stat = lstatSync(join(tree, name))
      const isCounted = stat.isFile() && !seen.has(stat.ino)
      seen.add(stat.ino)
      return isCounted ? stat.size : 0
    })
    expect(answer.size).toBe(sizes.reduce((sum, size) => sum + size, 0))
    expect(answer.runs.map(({ run }) => run)).toEqual([large, join(tree, 'small/save')])
    expect(answer.runs[0]?.freedBytes).toBeGreaterThan(0)
  })

  it('gives each checkpoint and each run the size that list, prune and their JSON give it', async () => {
    const root = temporaryDirectory()
    const run = makeRun(epochs(4), join(root, 'a', 'save'))
    for (const [at, bytes] of [100, 2000, 5000, 70_000].entries()) {
      writeFileSync(join(run, nameOf(at + 1), 'model.ckpt'), Buffer.alloc(bytes, 'x'))
    }
    const { checkpoints } = await answerOf<{ checkpoints: { name: string; size: number }[] }>(['list', run])
    const sizes = new Map(checkpoints.map(({ name, size }) => [name, size]))
    const policy = ['--keep', '1', '--verify', 'none', '--dry-run']
    type Planned = Record<'keep' | 'remove', { name: string; bytes: number }[]> & { freedBytes: number }
    const plan = await answerOf<Planned>(['prune', run, ...policy])
    for (const { name, bytes } of [...plan.keep, ...plan.remove]) expect(bytes).toBe(sizes.get(name))
    const going = plan.remove.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(plan.freedBytes).toBe(going)
    const use = await answerOf<{ size: number; freedBytes: number }>(['du', root])
    expect(use).toMatchObject({ size: [...sizes.values()].reduce((a, b) => a + b, 0), freedBytes: going })
    expect((await ckpt(['prune', run, ...policy])).stdout).toContain(`to remove: 3 checkpoints, ${formatSize(going)}\n`)
    const many = (await ckpt(['prune', '-r', root, '--quiet-for', '0s', ...policy])).stdout
    expect(many).toContain(`1 checkpoint (${formatSize(use.size - going)}) stays; 3 (${formatSize(going)}) of 1 run go`)
    const [row] = (await answerOf<{ runs: { size: number }[] }>(['runs', root])).runs
    expect(row?.size).toBe(use.size)
    const removed = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(removed.stdout).toContain(`removed 3 checkpoints, ${formatSize(going)} freed`)
  })

  it('shows at most --limit rows, of all of which it still tells the sum', async () => {
    const tree = temporaryDirectory()
    for (const count of [1, 2, 3]) makeRun(epochs(count), join(tree, String(count), 'save'))
    interface Use {
      size: number
      runs: { run: string; size: number }[]
    }
    const all = await answerOf<Use>(['du', tree])
    const some = await answerOf<Use>(['du', tree, '--limit', '2'])
    expect(some).toEqual({ ...all, runs: all.runs.slice(0, 2) })
    const { stdout } = await ckpt(['du', tree, '--limit', '1'])
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
  })

  it('tells what a prune frees apart from the sizes where files have other names', async () => {
    const run = makeRun(epochs(3), join(temporaryDirectory(), 'save'))
    writeFileSync(join(run, nameOf(1), 'model.ckpt'), Buffer.alloc(50_000, 'x'))
    linkSync(join(run, nameOf(1), 'model.ckpt'), join(run, '..', 'published.ckpt'))
    const { stdout } = await ckpt(['prune', run, '--keep', '1', '--dry-run'])
    expect(stdout).toMatch(/to remove: 2 checkpoints, 5\S+ kB; frees \S+ k?B, as files have other names, or holes/)
  })
})

it('a search in which --exclude leaves out all that there is names it', async () => {
  const root = join(makeRun(epochs(2)), '..')
  for (const command of [['runs'], ['list', '-r'], ['find', '-r'], ['verify', '-r'], ['du']]) {
    const { status, stderr } = await ckpt([...command, root, '--exclude', '*'])
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining(`no run in ${root} or below it, searched with --exclude '*'`),
    ])
    expect(stderr).toContain("hint: see what is there without --exclude '*'")
  }
})
