/** The bytes of a checkpoint against what was recorded of them. */
import type { Finding } from '../../checkpoint.js'

export interface Sum {
  readonly size: number
  /** SHA-256 in lower-case hexadecimal digits. */
  readonly sha256: string
}

/** By the name of the file relative to its checkpoint. */
export type Sums = ReadonlyMap<string, Sum>

/** What is not as it was recorded at `time` (Unix seconds). Files that came since are not damage. */
export function compareSums(recorded: Sums, time: number, now: Sums): Finding[] {
  const when = `when its checksum was recorded (${new Date(time * 1000).toISOString().replace(/\.\d+Z$/, 'Z')})`
  return [...recorded].flatMap(([file, then]): Finding[] => {
    const sum = now.get(file)
    if (sum === undefined) return [{ grade: 'partial', file, reason: `cannot be read, and it was there ${when}` }]
    if (sum.size !== then.size) {
      return [{ grade: 'corrupt', file, reason: `changed: ${sum.size} bytes, and ${then.size} ${when}` }]
    }
    if (sum.sha256 === then.sha256) return []
    const reason = `changed: SHA-256 ${sum.sha256.slice(0, 16)}…, and ${then.sha256.slice(0, 16)}… ${when}`
    return [{ grade: 'corrupt', file, reason }]
  })
}
