/** A save that was cut short, recognised by comparing it with the one before it. */
import { basename } from 'node:path'
import { isUnlisted, type Checkpoint, type Finding } from '../../checkpoint.js'
import { isMissed, missedIn } from '../../checkpoints/health/index.js'

/**
 * Files that the newest checkpoint lacks while the one before it has them, and nothing that the other lacks: as each
 * save writes the same files, the newest was cut short. One witness will do here, for of all checkpoints it is the
 * newest that a kill leaves so, and the one before it costs a start little. `ordered` is newest first.
 */
export function cutShort(checkpoint: Checkpoint, ordered: readonly Checkpoint[]): Finding[] {
  if (checkpoint.kind !== 'directory' || isUnlisted(checkpoint)) return []
  const [newest, before] = newestOf(checkpoint.layout, ordered)
  if (newest?.path !== checkpoint.path || before === undefined) return []
  const dropped = [...(newest.demoted ?? []), ...(before.demoted ?? [])]
  if (dropped.length > 0 || before.health.findings.length > 0) return []
  const known = new Set(before.files.map(({ key }) => key))
  if (!newest.files.every(({ key }) => known.has(key))) return []
  const here = new Set(newest.files.map(({ key }) => key))
  const found = new Set(checkpoint.health.findings.map(({ file }) => file))
  const lacking = before.files
    .filter(({ key, optional }) => !here.has(key) && optional !== true)
    .map(({ path, role }) => ({ name: basename(path), role }))
    .filter(({ name }) => !found.has(name) && isMissed(checkpoint, name))
  return missedIn(checkpoint, lacking).map(({ name }) => ({
    grade: 'partial',
    file: name,
    reason: `not there, and ${before.name}, which was saved before it, has it`,
  }))
}

/** The newest two of a layout that are folders. */
function newestOf(wanted: string, ordered: readonly Checkpoint[]): readonly Checkpoint[] {
  const found: Checkpoint[] = []
  for (const one of ordered) {
    if (one.layout === wanted && one.kind === 'directory') found.push(one)
    if (found.length === 2) break
  }
  return found
}
