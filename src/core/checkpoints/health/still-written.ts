/** Is a checkpoint still being written? Two looks at its files, a second apart (docs/design.md §6). */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { listFiles, ScanTree, uniteFindings, type CheckpointFiles, type MeasuredFile } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Milliseconds between the two looks. */
export const lookInterval = 1000
/** Seconds. A writer touches its file far more often than that, and clocks of file servers differ by far less. */
const recent = 3600

/**
 * Seconds, for those who delete nothing: where clocks differ they may miss one, and who deletes later does not. More than
 * more than that written within them were copied or unpacked, for a job writes one at a time.
 */
const justNow = 60
const mostAtOnce = 1000

/**
 * Those of measured checkpoints that may still be written. Who only asks does not wait where nothing hints at a writer.
 */
export function mayBeWritten<C extends Pick<Checkpoint, 'modified'>>(
  checkpoints: readonly C[],
  now: number,
  onlyAsks: boolean,
): readonly C[] {
  const since = now - (onlyAsks ? justNow : recent)
  const young = checkpoints.filter(({ modified }) => modified === null || modified > since)
  return onlyAsks && young.length > mostAtOnce ? [] : young
}

export interface StillWrittenOptions {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
}

/**
 * The checkpoints in order, those whose files changed in size, time or number between two looks with a finding
 * `unfinished`. All are looked at together, so the wait is one second for any number of them. There is no wait
 * when nothing in them was modified within the hour before `now`: what has been quiet for an hour would not move
 * within the second either. A time that lies in the future counts as recent, for then one of the clocks is wrong.
 * Meant for checkpoints that are about to be deleted or resumed from. The first look may be one that `storage` remembers.
 */
export async function markStillWritten(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  { now, wait }: StillWrittenOptions,
): Promise<Checkpoint[]> {
  const before = await listFiles(storage, checkpoints)
  const moving = checkpoints.filter((checkpoint) => mayMove(before.get(checkpoint), now))
  if (moving.length === 0) return [...checkpoints]
  await wait(lookInterval)
  const after = await listFiles(ScanTree.lookingAgain(storage), moving)
  return checkpoints.map((checkpoint) => {
    const later = after.get(checkpoint)
    const change = later === undefined ? null : findChange(before.get(checkpoint)?.files ?? [], later.files)
    return change === null ? checkpoint : withChange(checkpoint, change)
  })
}

function mayMove(contents: CheckpointFiles | undefined, now: number): boolean {
  return contents?.files.some((file) => file.stat !== null && file.stat.modified > now - recent) ?? false
}

function withChange(checkpoint: Checkpoint, change: Finding): Checkpoint {
  const findings = uniteFindings([change], checkpoint.health.findings)
  return withHealth(checkpoint, checkpoint.health.level, findings)
}

function findChange(before: readonly MeasuredFile[], after: readonly MeasuredFile[]): Finding | null {
  const earlier = new Map(before.map((file) => [file.name, file]))
  for (const file of after) {
    const reason = describeChange(earlier.get(file.name), file)
    if (reason !== null) return { grade: 'unfinished', file: file.name, reason: `still being written: ${reason}` }
    earlier.delete(file.name)
  }
  const [gone] = earlier.keys()
  return gone === undefined ? null : { grade: 'unfinished', file: gone, reason: 'went away within a second' }
}

function describeChange(before: MeasuredFile | undefined, after: MeasuredFile): string | null {
  if (before === undefined) return 'it appeared within a second'
  const [first, second] = [before.stat, after.stat]
  if (first === null || second === null) return first === second ? null : 'it came or went within a second'
  if (first.size !== second.size) return `${first.size} bytes, and ${second.size} a second later`
  return first.modified === second.modified ? null : `modified again within a second, at ${second.size} bytes`
}
