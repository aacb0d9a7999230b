/** What every layout promises, whatever stands in the place of a checkpoint's files. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { asUser } from '../../../as-user.js'
import { Memory } from '../../../fuzz-runs.js'
import { fixtures, makeFolder } from './folders.js'

const frameworks = join(fixtures, 'frameworks')

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

async function namesIn(root: string): Promise<string[]> {
  try {
    const runs = await findRuns(localStorage(), root)
    return runs.flatMap(({ checkpoints }) => checkpoints.map(({ path }) => path)).sort()
  } catch (error) {
    if (error instanceof CkptError) return []
    throw error
  }
}

describe.each(readdirSync(frameworks))('a run of %s', (framework) => {
  const { run } = JSON.parse(readFileSync(join(frameworks, framework, 'expected.json'), 'utf8')) as { run: string }
  // Each case puts back what it took away, so one copy does for all.
  let made: string | undefined
  const copy = () => {
    if (made !== undefined) return made
    made = join(makeFolder(), 'run')
    chmodSync(dirname(made), 0o755)
    cpSync(join(frameworks, framework, run), made, { recursive: true, preserveTimestamps: true })
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
      for (const { path } of first?.files ?? []) {
        if (!lstatSync(path).isFile()) continue
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

  it('whose folder is empty has no checkpoints', async () => {
    expect(await namesIn(makeFolder())).toEqual([])
  })
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
