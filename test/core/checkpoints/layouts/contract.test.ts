/** What every layout promises, whatever stands in the place of a checkpoint's files. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { CkptError } from '../../../../src/core/errors.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findRuns, loadRun, locateRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { scanSpecs } from '../../../../src/core/checkpoints/layouts/engine/scan-specs.js'
import { knownSpecs } from '../../../../src/core/checkpoints/layouts/registry.js'
import { ScanTree } from '../../../../src/core/checkpoints/layouts/scan-tree.js'
import type { LayoutSpec } from '../../../../src/core/checkpoints/layouts/spec.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { DirectoryEntry, ReadStorage } from '../../../../src/core/storage/storage.js'
import { asUser } from '../../../as-user.js'
import { Memory } from '../../../fuzz-runs.js'
import { fixtures, makeFolder, write } from './folders.js'

const frameworks = join(fixtures, 'frameworks')

/** By name, an experiment of each layout: those of SpeechBrain, and of layouts that are one of several a framework has. */
const experiments: Readonly<Record<string, string>> = {
  speechbrain: join(fixtures, 'nutshell'),
  ...Object.fromEntries(readdirSync(frameworks).map((name) => [name, join(frameworks, name)])),
  ...Object.fromEntries(
    ['dcp', 'keras-backup', 'nemo-folders'].map((name) => [name, join(fixtures, 'variants', name)]),
  ),
}

/** The folder of an experiment that a training wrote, without what stands beside it for other tests. */
function writtenIn(experiment: string): string {
  const about = join(experiment, 'expected.json')
  if (!existsSync(about)) return experiment
  return join(experiment, (JSON.parse(readFileSync(about, 'utf8')) as { run: string }).run)
}

const unreadable = 'a file that may not be read'

/** What comes to stand where the file stood: nothing is there any more when they are called. */
const replacements: Readonly<Record<string, (path: string, content: Uint8Array) => unknown>> = {
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a folder': (path) => {
    mkdirSync(path)
  },
  'a dangling link': (path) => {
    symlinkSync('nowhere', path)
  },
  'a file of 0 bytes': (path) => {
    writeFileSync(path, '')
  },
  'a cut file': (path, content) => {
    writeFileSync(path, content)
    truncateSync(path, content.length >> 1)
  },
  [unreadable]: (path, content) => {
    writeFileSync(path, content, { mode: 0 })
  },
  nothing: () => undefined,
}

/** Names that no framework gives, beside the checkpoints and inside of them. */
const hostile = ['a\nb', '\u001b[31m', '--json', '$(id)', '...', '__proto__', 'constructor', '\u202E', 'x'.repeat(255)]

/** All that lie in it, whatever they are for; of a checkpoint of many shards some. */
function filesOf(members: readonly { readonly path: string }[]): string[] {
  const all = members.flatMap(({ path }) =>
    lstatSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name))
      : [path],
  )
  return all.filter((path) => lstatSync(path).isFile()).slice(0, 8)
}

/** This machine's storage, and what is asked of it. */
function counted() {
  const local = localStorage()
  const listed: string[] = []
  const read: string[] = []
  const opened: string[] = []
  const counting: ReadStorage = {
    ...local,
    list: (paths) => (listed.push(...paths), local.list(paths)),
    read: (paths, limit) => (read.push(...paths), local.read(paths, limit)),
    open: (path) => (opened.push(path), local.open(path)),
  }
  return { counting, listed, read, opened }
}

/** What a scan of one folder by these layouts asks for, and the checkpoints that it finds. */
async function asked(path: string, specs: readonly LayoutSpec[], more: readonly DirectoryEntry[] = []) {
  const { counting, listed, read, opened } = counted()
  const list: ReadStorage['list'] = async (paths) => {
    const answers = await counting.list(paths)
    return answers.map((answer, at) =>
      answer.ok && paths[at] === path ? { ok: true, value: [...answer.value, ...more] } : answer,
    )
  }
  const tree = ScanTree.over({ ...counting, list })
  const [listing] = await tree.list([path])
  const found = await scanSpecs(tree, { path, entries: listing?.ok === true ? listing.value : [] }, specs)
  return { listed, read, opened, names: found.map(({ name }) => name).sort() }
}

async function namesIn(root: string): Promise<string[]> {
  try {
    const runs = await findRuns(localStorage(), root)
    return runs.flatMap(({ checkpoints }) => checkpoints.map(({ path }) => path)).sort()
  } catch (error) {
    if (error instanceof CkptError) return []
    throw error
  }
}

it('every layout has an experiment here', async () => {
  const found = new Set<string>()
  for (const experiment of Object.values(experiments)) {
    for (const { checkpoints } of await findRuns(localStorage(), writtenIn(experiment))) {
      for (const { layout } of checkpoints) found.add(layout)
    }
  }
  expect(knownSpecs().flatMap(({ id }) => (found.has(id) ? [] : [id]))).toEqual([])
})

describe.each(Object.entries(experiments))('a run of %s', (_, experiment) => {
  // Each case puts back what it took away, so one copy does for all.
  let made: string | undefined
  const copy = () => {
    if (made !== undefined) return made
    made = join(makeFolder(), 'run')
    chmodSync(dirname(made), 0o755)
    cpSync(writtenIn(experiment), made, { recursive: true, preserveTimestamps: true })
    return made
  }

  it.each(Object.keys(replacements))(
    'is read to its end with %s in place of each file of a checkpoint',
    async (name) => {
      const root = copy()
      const before = await findRuns(localStorage(), root)
      const [first] = before.flatMap(({ checkpoints }) => checkpoints)
      const members = new Set(first?.members.map(({ path }) => path))
      const others = before
        .flatMap(({ checkpoints }) => checkpoints.map(({ path }) => path))
        .filter((path) => path !== first?.path)
      for (const path of filesOf(first?.members ?? [])) {
        const aside = join(dirname(root), 'aside')
        const content = readFileSync(path)
        renameSync(path, aside)
        replacements[name]?.(path, content)
        const found = await (name === unreadable ? asUser(() => namesIn(root)) : namesIn(root))
        rmSync(path, { recursive: true, force: true })
        renameSync(aside, path)
        // A checkpoint that is gone takes nothing else with it.
        if (!members.has(path)) expect(found).toEqual(expect.arrayContaining(others))
      }
    },
  )

  it.each([
    ['an empty folder', 0o755],
    ['a folder that may not be listed', 0],
  ])('keeps its other checkpoints with %s in place of the first', async (_, mode) => {
    const root = copy()
    const before = (await findRuns(localStorage(), root)).flatMap(({ checkpoints }) => checkpoints)
    const [first] = before
    if (first === undefined) throw new Error('no checkpoint was found')
    const isOther = ({ path, sameAs }: Checkpoint) => !`${path}/`.startsWith(`${first.path}/`) && sameAs !== first.name
    const aside = join(dirname(root), 'aside')
    const isThere = existsSync(first.path)
    if (isThere) renameSync(first.path, aside)
    mkdirSync(first.path, { mode })
    const found = await asUser(() => namesIn(root))
    rmdirSync(first.path)
    if (isThere) renameSync(aside, first.path)
    expect(found).toEqual(expect.arrayContaining(before.filter(isOther).map(({ path }) => path)))
  })

  it.each(['a pipe', 'a dangling link', 'a file of 0 bytes'])(
    'is not whole with %s in place of a file of weights',
    async (name) => {
      const root = copy()
      const [first] = (await findRuns(localStorage(), root)).flatMap(({ checkpoints }) => checkpoints)
      const weights = first?.files.filter(({ role }) => role === 'weights' || role === 'all') ?? []
      for (const { path } of weights.filter((one) => lstatSync(one.path).isFile()).slice(0, 3)) {
        const aside = join(dirname(root), 'aside')
        const content = readFileSync(path)
        renameSync(path, aside)
        replacements[name]?.(path, content)
        const again = (await findRuns(localStorage(), root)).flatMap(({ checkpoints }) => checkpoints)
        const graded = await checkHealth(
          localStorage(),
          again,
          again.filter((one) => one.path === first?.path),
          'quick',
        )
        rmSync(path, { recursive: true })
        renameSync(aside, path)
        expect(graded.map(({ health }) => [path, health.grade])).not.toEqual([[path, 'whole']])
      }
    },
  )

  it('is the same among hostile names', async () => {
    const root = copy()
    const [run] = await findRuns(localStorage(), root)
    const before = await namesIn(root)
    const folder = run?.path ?? root
    const inside = run?.checkpoints.filter(({ kind }) => kind === 'directory').map(({ path }) => path) ?? []
    const added = [folder, ...inside].flatMap((at) => hostile.map((name) => join(at, name)))
    for (const path of added) writeFileSync(path, 'x')
    expect(await namesIn(root)).toEqual(before)
    for (const path of added) rmSync(path)
  })

  it('has each folder listed and each file read and opened once, by all layouts as by its own', async () => {
    for (const { path, checkpoints } of await findRuns(localStorage(), copy())) {
      const ids = new Set(checkpoints.map(({ layout }) => layout))
      const alone = await asked(
        path,
        knownSpecs().filter(({ id }) => ids.has(id)),
      )
      const all = await asked(path, knownSpecs())
      expect(all.names).toEqual(alone.names)
      expect(all.read.toSorted()).toEqual(alone.read.toSorted())
      // What lies beside them may be something else's, and is looked into to know.
      const members = checkpoints.flatMap((one) => one.members.map((member) => member.path))
      const within = (paths: readonly string[]) =>
        paths.filter((one) => members.some((member) => one === member || one.startsWith(`${member}/`))).sort()
      expect(within(all.opened)).toEqual(within(alone.opened))
      expect(within(all.listed)).toEqual(within(alone.listed))
      for (const paths of [all.listed, all.read, all.opened]) expect(paths).toEqual([...new Set(paths)])
    }
  })

  it('has each folder listed and each file read and opened once by a search of the whole experiment', async () => {
    const { counting, listed, read, opened } = counted()
    await findRuns(counting, experiment)
    for (const paths of [listed, read, opened]) expect(paths).toEqual([...new Set(paths)])
  })

  it('has nothing listed, read or opened again where its run was looked for before', async () => {
    for (const { path } of await findRuns(localStorage(), experiment)) {
      const { counting, listed, read, opened } = counted()
      const tree = ScanTree.over(counting)
      expect(await locateRun(tree, path)).toBe(path)
      await loadRun(tree, path)
      for (const paths of [listed, read, opened]) expect(paths).toEqual([...new Set(paths)])
    }
  })

  it('is found among a hundred thousand names, of which none is looked into', async () => {
    const more = Array.from({ length: 100_000 }, (_, at) => ({ name: `note ${at}.txt`, kind: 'file' as const }))
    for (const { path } of (await findRuns(localStorage(), copy())).slice(0, 1)) {
      expect(await asked(path, knownSpecs(), more)).toEqual(await asked(path, knownSpecs()))
    }
  })
})

it('an empty folder has no checkpoints', async () => {
  expect(await namesIn(makeFolder())).toEqual([])
})

it('a folder of a hundred thousand names is listed once, and nothing in it is read that no layout knows', async () => {
  const files = new Map([...Array(100_000).keys()].map((index) => [`/run/note ${index}.txt`, new Uint8Array()]))
  files.set('/run/CKPT+1/CKPT.yaml', new TextEncoder().encode('WER: 1.5\n'))
  files.set('/run/CKPT+1/model.ckpt', new Uint8Array(1))
  const memory = new Memory(files)
  const listed: string[] = []
  const read: string[] = []
  const { list, read: readAll } = memory
  memory.list = (paths) => (listed.push(...paths), list(paths))
  memory.read = (paths, limit) => (read.push(...paths), readAll(paths, limit))
  const [run] = await findRuns(memory, '/run')
  expect(run?.checkpoints.map(({ name }) => name)).toEqual(['CKPT+1'])
  expect(listed.toSorted()).toEqual(['/run', '/run/CKPT+1'])
  expect(read).toEqual(['/run/CKPT+1/CKPT.yaml'])
})

it('a run of a hundred checkpoints is listed at most 1.1 times as often by all layouts as by its own, and read as often', async () => {
  const numbers = Array.from({ length: 100 }, (_, index) => index + 1)
  const state = (step: number) => JSON.stringify({ global_step: step, log_history: [{ step, eval_loss: 1 / step }] })
  const root = write(
    makeFolder(),
    Object.fromEntries(
      numbers.flatMap((step): [string, string][] => [
        [`checkpoint-${step}/trainer_state.json`, state(step)],
        [`checkpoint-${step}/model.safetensors`, 'x'],
      ]),
    ),
  )
  const alone = await asked(
    root,
    knownSpecs().filter(({ id }) => id === 'hf-trainer'),
  )
  const all = await asked(root, knownSpecs())
  expect([alone.names.length, all.names.length]).toEqual([100, 100])
  expect(all.listed.length / alone.listed.length).toBeLessThanOrEqual(1.1)
  expect([all.read.length, all.opened.length]).toEqual([alone.read.length, alone.opened.length])
})
