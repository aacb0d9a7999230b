/**
 * Global setup: temporary folders of the tests are in memory, where a sync takes no time; thousands of them on a disk
 * take longer than the tests. A folder that TMPDIR names is left as it is: `TMPDIR=/var/tmp npm test` tests on a disk.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'

/** Where Linux has a file system in memory that everybody may write to. */
const shared = '/dev/shm'
/** Bytes: several times what the tests hold at once. */
const enough = 4 * 2 ** 30
/** What statfs(2) says of such a file system. */
const tmpfs = 0x01021994

/** Containers often give it 64 MB, or let no program be started from it. */
function makeFolder(): string | null {
  let folder: string | null = null
  try {
    const { type, bavail, bsize } = statfsSync(shared)
    if (type !== tmpfs || Math.min(bavail * bsize, freemem()) < enough) return null
    folder = mkdtempSync(join(shared, 'ckpt-tests-'))
    // As /tmp is.
    chmodSync(folder, 0o1777)
    const script = join(folder, 'starts')
    writeFileSync(script, '#!/bin/sh\n', { mode: 0o755 })
    if (spawnSync(script).status === 0) return folder
  } catch {
    // It is not there, or not for us.
  }
  if (folder !== null) rmSync(folder, { recursive: true, force: true })
  return null
}

/** Workers and what they start take the variable over. The first of two projects makes the folder for both. */
export default function setup(): (() => void) | undefined {
  if (process.env['TMPDIR'] !== undefined) return undefined
  const folder = makeFolder()
  if (folder === null) return undefined
  process.env['TMPDIR'] = folder
  return () => {
    delete process.env['TMPDIR']
    rmSync(folder, { recursive: true, force: true })
  }
}
