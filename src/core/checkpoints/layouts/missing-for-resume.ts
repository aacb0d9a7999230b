/** What a run's checkpoints tell of each other: which of them lack what the others have for going on. */
import type { Checkpoint, ParamFile, Part } from '../../checkpoint.js'

/**
 * Where one checkpoint of a layout has files that only resuming needs, one with nothing but the model cannot be gone on
 * from, though its framework gives files free names. Those whose layout looked inside are left as they are.
 */
export function withResuming(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const full = new Map<string, readonly ParamFile[]>()
  for (const { layout, files } of checkpoints) {
    // Most have as many as the first: they are only counted.
    const most = full.get(layout)?.length ?? 0
    if (files.length > most && countNeeded(files) > most) full.set(layout, files.filter(isNeeded))
  }
  if (full.size === 0) return [...checkpoints]
  return checkpoints.map((checkpoint) => {
    const needed = full.get(checkpoint.layout)
    if (needed === undefined || !isModelAlone(checkpoint)) return checkpoint
    return { ...checkpoint, resumable: false, lacks: [...new Set(needed.map(partOf))].sort() }
  })
}

function isNeeded({ role, optional }: ParamFile): boolean {
  return role === 'resume' && optional !== true
}

function countNeeded(files: readonly ParamFile[]): number {
  let count = 0
  for (const file of files) if (isNeeded(file)) count += 1
  return count
}

function isModelAlone({ files, resumable, lacks }: Checkpoint): boolean {
  if (resumable !== undefined || lacks !== undefined || files.length === 0) return false
  return !files.some(({ role }) => role === 'resume' || role === 'all')
}

function partOf({ key }: ParamFile): Part {
  if (/sched|anneal|noam/i.test(key)) return 'scheduler'
  return /rng|random/i.test(key) ? 'random state' : 'optimizer'
}
