/** The bytes of checkpoints against what was recorded of them. */
import { basename } from 'node:path'
import type { Checkpoint, Finding } from '../checkpoint.js'
import { explainTemporary, listFiles } from '../layouts/index.js'
import type { ReadStorage } from '../storage/storage.js'
import type { HealthOptions } from './check.js'

export interface Sum {
  readonly size: number
  /** SHA-256 in lower-case hexadecimal digits. */
  readonly sha256: string
}

/** By the name of the file relative to its checkpoint. */
export type Sums = ReadonlyMap<string, Sum>

/**
 * The sums of all files of each checkpoint, read from end to end, several at a time. A file that cannot be read has
 * none. Throws CkptError `interrupted`.
 */
export async function sumFiles(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  { onProgress, signal }: HealthOptions = {},
): Promise<ReadonlyMap<Checkpoint, Sums>> {
  const contents = await listFiles(storage, checkpoints)
  const jobs = checkpoints.flatMap((checkpoint) =>
    (contents.get(checkpoint)?.files ?? []).flatMap(({ name, path, stat }) => {
      if (stat?.kind !== 'file' || explainTemporary(basename(name)) !== null) return []
      return [{ checkpoint, name, path, size: stat.size }]
    }),
  )
  const total = jobs.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  const onBytes = (count: number): void => {
    done += count
    onProgress?.(Math.min(done, total), total)
  }
  const answers = await storage.sweep(
    jobs.map(({ path, size }) => ({ path, size, checksum: 'sha256', ranges: [{ position: 0, length: size }] })),
    { onBytes, signal },
  )
  const sums = new Map(checkpoints.map((checkpoint) => [checkpoint, new Map<string, Sum>()]))
  jobs.forEach(({ checkpoint, name, size }, index) => {
    const answer = answers[index]
    const sha256 = answer?.ok === true ? answer.value[0] : undefined
    if (sha256 !== undefined) sums.get(checkpoint)?.set(name, { size, sha256 })
  })
  return sums
}

/** What is not as it was recorded at `time` (Unix seconds). Files that came since are no damage. */
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
