/** What every layout promises, whatever stands in the place of a checkpoint's files. */
import { execFileSync } from 'node:child_process'
import {
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
import { fixtures, makeFolder } from './folders.js'

const frameworks = join(fixtures, 'frameworks')

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
  nothing: () => undefined,
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

describe.each(readdirSync(frameworks))('a run of %s', (framework) => {
  const { run } = JSON.parse(readFileSync(join(frameworks, framework, 'expected.json'), 'utf8')) as { run: string }
  // Each case puts back what it took away, so one copy does for all.
  let made: string | undefined
  const copy = () => {
    if (made !== undefined) return made
    made = join(makeFolder(), 'run')
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
        const found = await namesIn(root)
        rmSync(path, { recursive: true, force: true })
        renameSync(aside, path)
        // A checkpoint that is gone takes nothing else with it.
        if (!members.has(path)) expect(found).toEqual(expect.arrayContaining(others))
      }
    },
  )

  it('whose folder is empty has no checkpoints', async () => {
    expect(await namesIn(makeFolder())).toEqual([])
  })
})
