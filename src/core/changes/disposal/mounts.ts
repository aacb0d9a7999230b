/** Mount points, which deletion never crosses. */
import { sep } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'

const mountTable = '/proc/self/mountinfo'
/** Bytes; a host of many containers has a few hundred kilobytes. */
const largestTable = 16 << 20

/**
 * The first mount point below a path (absolute, its links resolved), or null. A folder that is mounted from the same
 * file system (`mount --bind`) has the device of its surroundings, so only the system's table tells of it (Linux,
 * proc(5): the fifth field of /proc/PID/mountinfo). Where there is no such table, devices must do.
 */
export async function findMountBelow(storage: ReadStorage, path: string): Promise<string | null> {
  const [table] = await storage.read([mountTable], largestTable)
  if (table?.ok !== true) return null
  const below = path.endsWith(sep) ? path : path + sep
  for (const line of Buffer.from(table.value).toString('utf8').split('\n')) {
    const point = unescape(line.split(' ', 5)[4] ?? '')
    if (point.startsWith(below)) return point
  }
  return null
}

/** Space, tab, newline and backslash stand as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
