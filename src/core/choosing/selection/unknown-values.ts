/** Checkpoints that nobody can rank, for what says their values could not be read. */
import type { Checkpoint } from '../../checkpoint.js'

/**
 * Of `all`, those that are not among `ranked`, perhaps for nothing but that they could not be read, or are damaged: each
 * lacks one of the keys `names` that others have.
 */
export function withUnknownValues(
  all: readonly Checkpoint[],
  ranked: readonly Checkpoint[],
  names: readonly string[],
): readonly Checkpoint[] {
  // Mostly all are ranked, and ten thousand need not be asked for what they know.
  if (names.length === 0 || ranked.length === all.length) return []
  const taken = new Set(ranked)
  const hidden = all.filter((one) => !taken.has(one) && hidesValues(one))
  if (hidden.length === 0) return []
  const known = names.filter((name) => all.some(({ meta }) => meta.has(name)))
  return hidden.filter(({ meta }) => known.some((name) => !meta.has(name)))
}

/** One that is still being written, or lacks a file, has told what it knows. */
function hidesValues({ health }: Checkpoint): boolean {
  return health.grade === 'unreadable' || health.grade === 'corrupt'
}
