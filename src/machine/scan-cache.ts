/** Where this user's scans are remembered: a folder of the user's alone. */
import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Cache } from './installation.js'
import { isPrivateFolder, makePrivateFolder } from './private-folder.js'

/** Absolute; null where there is no place for it. */
function placeOfScans(): string | null {
  const set = process.env['XDG_CACHE_HOME'] ?? ''
  const home = set === '' ? join(homedir(), '.cache') : set
  return isAbsolute(home) ? join(home, 'ckpt', 'scan') : null
}

/** Made when missing. Null where it cannot be made, or where somebody else could put something there. */
export function scanCacheFolder(): string | null {
  const folder = placeOfScans()
  return folder !== null && makePrivateFolder(folder) ? folder : null
}

/** What is remembered, to be told and cleared; nothing where others could have put it there. */
export function scanCache(): Cache {
  const folder = placeOfScans()
  if (folder === null || !isPrivateFolder(folder)) return { folder, files: [] }
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
