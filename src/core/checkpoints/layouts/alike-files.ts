/** Groups checkpoints that have the same files, so that questions about keys and roles are asked once for all of them. */
import type { Checkpoint, ParamFile } from '../../checkpoint.js'

export interface Alike {
  readonly layout: string
  /** Of the first of them. */
  readonly files: readonly ParamFile[]
  readonly checkpoints: readonly Checkpoint[]
}

/** In the order of the first of each. */
export function alikeByFiles(checkpoints: readonly Checkpoint[]): Alike[] {
  const found = new Map<string, Alike & { readonly checkpoints: Checkpoint[] }>()
  let last: (Alike & { readonly checkpoints: Checkpoint[] }) | undefined
  for (const checkpoint of checkpoints) {
    if (last === undefined || !isAlike(last, checkpoint)) {
      const { layout, files } = checkpoint
      const key = JSON.stringify([layout, ...files.map((file) => [file.key, file.role, file.optional === true])])
      last = found.get(key) ?? { layout, files, checkpoints: [] }
      found.set(key, last)
    }
    last.checkpoints.push(checkpoint)
  }
  return [...found.values()]
}

/** Keys of one run's files are mostly the very same strings. */
function isAlike({ layout, files }: Alike, other: Checkpoint): boolean {
  if (layout !== other.layout || files.length !== other.files.length) return false
  for (let at = 0; at < files.length; at += 1) {
    const [a, b] = [files[at], other.files[at]]
    if (a?.key !== b?.key || a?.role !== b?.role || (a?.optional === true) !== (b?.optional === true)) return false
  }
  return true
}
