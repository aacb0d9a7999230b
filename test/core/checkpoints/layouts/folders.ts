/** Real folders for the tests of layouts and health. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { whenFileIsOver } from '../../../when-over.js'
import type { Storage } from '../../../../src/core/storage/storage.js'

export const fixtures = fileURLToPath(new URL('../../../fixtures/runs', import.meta.url))

const made: string[] = []

whenFileIsOver(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true })
})

/** A new folder that is gone when the test file has ended. */
export function makeFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ckpt-test-'))
  made.push(path)
  return path
}

export function copyFixture(name: string): string {
  const path = join(makeFolder(), 'run')
  cpSync(join(fixtures, name), path, { recursive: true, preserveTimestamps: true })
  return path
}

/** Writes files by path; folders above them are made. */
export function write(root: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  return root
}

export type Call = 'list' | 'stat' | 'lstat' | 'read' | 'resolve' | 'open'

/** Counts the paths that each reading call was given. */
export function counting(storage: Storage): { storage: Storage; counts: Record<Call, number> } {
  const counts: Record<Call, number> = { list: 0, stat: 0, lstat: 0, read: 0, resolve: 0, open: 0 }
  return {
    counts,
    storage: {
      ...storage,
      list: (paths) => ((counts.list += paths.length), storage.list(paths)),
      stat: (paths) => ((counts.stat += paths.length), storage.stat(paths)),
      lstat: (paths) => ((counts.lstat += paths.length), storage.lstat(paths)),
      read: (paths, limit) => ((counts.read += paths.length), storage.read(paths, limit)),
      open: (path) => ((counts.open += 1), storage.open(path)),
      resolve: (paths) => ((counts.resolve += paths.length), storage.resolve(paths)),
    },
  }
}
