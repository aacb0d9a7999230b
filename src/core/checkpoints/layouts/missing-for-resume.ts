/** Compares the checkpoints of a run: which of them lack a part that the others have and resuming needs. */
import type { Checkpoint, ParamFile, Part } from '../../checkpoint.js'
import type { Alike } from './alike-files.js'

/**
 * Where one checkpoint of a layout has files that only resuming needs, one with nothing but the model cannot be gone on
 * from, though its framework gives files free names. Those whose layout looked inside are left as they are. `kinds` are
 * of the same checkpoints.
 */
export function withResuming(checkpoints: readonly Checkpoint[], kinds: readonly Alike[]): Checkpoint[] {
  const full = new Map<string, readonly ParamFile[]>()
  for (const { layout, files } of kinds) {
    const needed = files.filter(isNeeded)
    if (needed.length > (full.get(layout)?.length ?? 0)) full.set(layout, needed)
  }
  const lacking = new Map<Checkpoint, Checkpoint>()
  for (const { layout, files, checkpoints: alike } of kinds) {
    const needed = full.get(layout)
    if (needed === undefined || !isModelAlone(files)) continue
    const lacks = [...new Set(needed.map(partOf))].sort()
    for (const one of alike) {
      if (one.resumable === undefined && one.lacks === undefined) lacking.set(one, { ...one, resumable: false, lacks })
    }
  }
  return lacking.size === 0 ? [...checkpoints] : checkpoints.map((one) => lacking.get(one) ?? one)
}

function isNeeded({ role, optional }: ParamFile): boolean {
  return role === 'resume' && optional !== true
}

function isModelAlone(files: readonly ParamFile[]): boolean {
  return files.length > 0 && !files.some(({ role }) => role === 'resume' || role === 'all')
}

function partOf({ key }: ParamFile): Part {
  if (/sched|anneal|noam/i.test(key)) return 'scheduler'
  return /rng|random/i.test(key) ? 'random state' : 'optimizer'
}
