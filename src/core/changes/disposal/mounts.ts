/** Mount points, which deletion never crosses. */
import { sep } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'

const mountTable = '/proc/self/mountinfo'
/** Bytes; a host of many containers has a few hundred kilobytes. */
const largestTable = 16 << 20

/** Checkpoints that are asked about before the table is read anew: they leave their names within moments. */
const stride = 64

/**
 * The mount points of this system. A folder that is mounted from the same file system (`mount --bind`) has the device of
 * its surroundings, so only the system's table tells of it (Linux, proc(5): the fifth field of /proc/PID/mountinfo).
 * Where there is no such table, devices must do.
 */
export class MountPoints {
  private points: readonly string[] = []
  private asked = 0

  constructor(private readonly storage: ReadStorage) {}

  /** The first one below a path (absolute, its links resolved), or null. */
  async findBelow(path: string): Promise<string | null> {
    if (this.asked % stride === 0) this.points = await this.read()
    this.asked += 1
    const below = path.endsWith(sep) ? path : path + sep
    return this.points.find((point) => point.startsWith(below)) ?? null
  }

  private async read(): Promise<readonly string[]> {
    const [table] = await this.storage.read([mountTable], largestTable)
    if (table?.ok !== true) return []
    const lines = Buffer.from(table.value).toString('utf8').split('\n')
    return lines.map((line) => unescape(line.split(' ', 5)[4] ?? ''))
  }
}

/** Space, tab, newline and backslash stand as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
