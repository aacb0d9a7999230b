/**
 * Real SIGKILLs: a process does one of the changes and kills itself at its n-th call that changes the file system, for
 * each n in turn. Its lock is left too, and is taken over.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTrash, stateFolderOf, withLock } from '../src/core/state/index.js'
import { localStorage } from '../src/core/storage/local.js'
import { changes, conditionOf, hasItsTime, lockOptions, makeSubjects, prepare, prune, stateOf } from './changes.js'

const project = fileURLToPath(new URL('..', import.meta.url))
const plain = localStorage()
let folder: string
let driver: string

/** `driver N CHANGE RUN`; with N = 0 it lives, and prints the count of its calls. */
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-killed-')))
  const source = join(folder, 'driver.ts')
  writeFileSync(
    source,
    `import { localStorage } from ${JSON.stringify(join(project, 'src/core/storage/local.ts'))}
     import { doChange } from ${JSON.stringify(join(project, 'test/changes.ts'))}
     const [n, change, run] = process.argv.slice(2)
     const reading = new Set(['list', 'stat', 'lstat', 'read', 'resolve', 'open', 'space'])
     let calls = 0
     const mortal = (target) => new Proxy(target, {
       get(inner, name) {
         const method = inner[name]
         if (typeof method !== 'function' || reading.has(name)) return method
         return async (...args) => {
           if ((calls += 1) === Number(n)) process.kill(process.pid, 'SIGKILL')
           const answer = await method.apply(inner, args)
           return name === 'create' ? mortal(answer) : answer
         }
       },
     })
     await doChange(change, mortal(localStorage()), run)
     console.log(calls)`,
  )
  driver = join(folder, 'driver.mjs')
  const bundle = await rolldown({ input: source, platform: 'node', cwd: project })
  await bundle.write({ file: driver, format: 'esm', codeSplitting: false })
  await bundle.close()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each(changes)(
  '%s, killed at each of its calls, leaves what is whole, demoted or gone',
  async (change) => {
    const freshRun = async () => {
      const run = makeSubjects(mkdtempSync(join(folder, 'run-')))
      await prepare(change, plain, run)
      return run
    }
    const calls = Number(execFileSync(process.execPath, [driver, '0', change, await freshRun()], { encoding: 'utf8' }))
    expect(calls).toBeGreaterThan(15)
    for (let n = 1; n <= calls; n += 1) {
      const run = await freshRun()
      const { signal } = spawnSync(process.execPath, [driver, String(n), change, run])
      expect(signal).toBe('SIGKILL')
      for (const name of ['CKPT+a', 'CKPT+b']) await conditionOf(plain, run, name)
      expect(await conditionOf(plain, run, 'CKPT+c')).toBe('whole')
      const state = await stateFolderOf(plain, run)
      expect(await withLock(plain, state, lockOptions(), () => prune(plain, run, []))).toEqual([])
      const { entries, unknown, orphans } = await readTrash(plain, state)
      expect([...unknown, ...orphans]).toEqual([])
      for (const name of readdirSync(run)) {
        expect(name).toMatch(/^CKPT\+[abc]$/)
        expect(hasItsTime(run, name)).toBe(true)
        expect(entries.map((entry) => entry.name)).not.toContain(name)
      }
      const rest = stateOf(run).filter((path) => !/^(trash|demoted)(\/[a-z]{16}0(\.json|\/.*)?)?$/.test(path))
      expect(rest).toEqual([])
    }
  },
  240_000,
)
