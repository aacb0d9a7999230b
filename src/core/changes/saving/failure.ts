/** A failure in the folder where a checkpoint is built, in words of what is saved: nobody knows that folder. */
import { sep } from 'node:path'
import { isFull, reasonOf, StorageError } from '../../errors.js'

export interface Work {
  /** Absolute. */
  readonly run: string
  /** The box that is built in; null while there is none. */
  readonly box: string | null
}

/** The error to throw instead; `what` is being saved. Any error that is of something else comes back as it is. */
export function tellOf(error: unknown, { run, box }: Work, what: string): unknown {
  if (!(error instanceof StorageError) || error instanceof SaveError) return error
  const isInside = box !== null && (error.path === box || error.path.startsWith(box + sep))
  if (!isInside && !isFull(error.errno)) return error
  return new SaveError(run, error.errno, `${run}: ${what} cannot be saved: ${reasonOf(error)}; nothing was saved`, {
    cause: error,
    ...hintFor(run, error),
  })
}

class SaveError extends StorageError {}

function hintFor(run: string, { errno, hint }: StorageError): { hint?: string } {
  if (!isFull(errno)) return hint === undefined ? {} : { hint }
  const path = JSON.stringify(run)
  return {
    hint: `make space there, then save again: ckpt prune ${path} --keep 1 --dry-run shows what could go, ckpt trash empty ${path} what is in the trash`,
  }
}
