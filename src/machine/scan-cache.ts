/** Where this user's scans are remembered: a folder of the user's alone, as the cache of compiled code is (bin/run.js). */
import { lstatSync, mkdirSync, readdirSync, realpathSync, rmSync, type Stats } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { Cache } from './installation.js'

const user = process.geteuid?.()
const othersMayWrite = 0o022
const sticky = 0o1000

/** Absolute; null where there is no place for it. */
function placeOfScans(): string | null {
  const set = process.env['XDG_CACHE_HOME'] ?? ''
  const home = set === '' ? join(homedir(), '.cache') : set
  return isAbsolute(home) ? join(home, 'ckpt', 'scan') : null
}

/** Made when missing. Null where it cannot be made, or where somebody else could put something there. */
export function scanCacheFolder(): string | null {
  const folder = placeOfScans()
  if (folder === null) return null
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return isPrivate(folder) ? folder : null
  } catch {
    // A read-only home: nothing is remembered.
    return null
  }
}

/** A real folder of the user's, in whose place nobody else can put another. */
function isPrivate(folder: string): boolean {
  if (user === undefined) return true
  const stats = lstatSync(folder)
  return stats.isDirectory() && isOwn(stats) && isFixed(dirname(realpathSync(folder)))
}

function isOwn({ uid, mode }: Stats): boolean {
  return uid === user && (mode & othersMayWrite) === 0
}

/** Each folder above is the user's or root's, and others cannot rename in it what is not theirs. */
function isFixed(folder: string): boolean {
  const { uid, mode } = lstatSync(folder)
  const isSafe = (uid === user || uid === 0) && ((mode & othersMayWrite) === 0 || (mode & sticky) !== 0)
  return isSafe && (dirname(folder) === folder || isFixed(dirname(folder)))
}

/** What is remembered, to be told and cleared. */
export function scanCache(): Cache {
  const folder = placeOfScans()
  if (folder === null) return { folder, files: [] }
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.scan') || name.endsWith('.tmp'))
    const files = names.flatMap((name) => {
      const path = join(folder, name)
      const stats = lstatSync(path, { throwIfNoEntry: false })
      return stats === undefined ? [] : [{ path, size: stats.size }]
    })
    return { folder, files }
  } catch {
    return { folder, files: [] }
  }
}

export function clearScanCache({ files }: Cache): void {
  for (const { path } of files) rmSync(path, { force: true })
}
