/** Small runs on a real temporary directory. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'

/** Removed when the test ends. */
export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-disposal-')))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function makeRun(names: readonly string[], files: Readonly<Record<string, string>> = defaultFiles): string {
  const run = join(temporaryDirectory(), 'save')
  mkdirSync(run)
  for (const name of names) makeCheckpoint(run, name, files)
  return run
}

export const defaultFiles = { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm'.repeat(5000), 'deep/er/optimizer.ckpt': 'o' }

export function makeCheckpoint(
  run: string,
  name: string,
  files: Readonly<Record<string, string>> = defaultFiles,
): void {
  mkdirSync(join(run, name))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(run, name, file, '..'), { recursive: true })
    writeFileSync(join(run, name, file), text)
  }
}

export function checkpointAt(run: string, name: string, more: Partial<Checkpoint> = {}): Checkpoint {
  return {
    name,
    path: join(run, name),
    members: [{ path: more.path ?? join(run, name), kind: 'directory' }],
    run,
    layout: 'speechbrain',
    kind: 'directory',
    meta: new Map(),
    step: null,
    epoch: null,
    unixtime: null,
    modified: null,
    files: [],
    size: null,
    health: { level: 'none', grade: 'whole', findings: [] },
    pointsTo: [],
    ...more,
  }
}

/** Every file below, by relative path, with its text. */
export function filesBelow(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  )
}
