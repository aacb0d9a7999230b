/** Checkpoints of a model and nothing else, which a framework saves when it is asked to. */
import type { Checkpoint, Role } from '../../checkpoint.js'
import { findLayout } from '../layouts/index.js'

/**
 * A finished save that has nothing but the model (`save_only_model`). Where no file tells that a save was finished, a
 * kill leaves the same, and it is none.
 */
export function isModelOnPurpose(checkpoint: Checkpoint): boolean {
  const { files, health } = checkpoint
  const layout = findLayout(checkpoint.layout)
  if (layout?.tellsEnd !== true || (layout.lacksAlone?.(checkpoint) ?? null) !== null) return false
  if (health.findings.some(({ grade }) => grade === 'unfinished')) return false
  return files.length > 0 && !files.some(({ role }) => role === 'resume' || role === 'all')
}

/** A file that others have. */
interface Lacking {
  readonly name: string
  readonly role: Role
}

/**
 * What of `lacking` is missing: of a model on purpose nothing that only resuming needs is. A save of the model alone
 * leaves the optimizer out too: where only random states are not there, they were lost.
 */
export function missedIn<T extends Lacking>(checkpoint: Checkpoint, lacking: readonly T[]): readonly T[] {
  const isMore = lacking.some(({ name, role }) => role === 'resume' && !/^(rng|random)_state/.test(name))
  return isMore && isModelOnPurpose(checkpoint) ? lacking.filter(({ role }) => role !== 'resume') : lacking
}
