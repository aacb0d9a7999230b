/** Where this user's scans are remembered: a folder of the user's alone. */
import { join } from 'node:path'
import { cacheHome, cacheIn, type Cache } from './installation.js'
import { makePrivateFolder } from './private-folder.js'

/** Absolute; null where there is no place for it. */
function placeOfScans(): string | null {
  const home = cacheHome()
  return home === null ? null : join(home, 'scan')
}

/** Made when missing. Null where it cannot be made, or where somebody else could put something there. */
export function scanCacheFolder(): string | null {
  const folder = placeOfScans()
  return folder !== null && makePrivateFolder(folder) ? folder : null
}

/** What is remembered, to be shown and cleared; nothing where others could have put it there. */
export function scanCache(): Cache {
  return cacheIn(placeOfScans(), (name) => name.endsWith('.scan') || name.endsWith('.tmp'))
}
