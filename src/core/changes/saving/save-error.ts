/** What goes wrong in a staging folder, in words of what is saved: nobody knows that folder. */
import { sep } from 'node:path'
import { isFull, reasonOf, StorageError } from '../../errors.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** The save that failed. */
export interface FailedSave {
  /** Absolute. */
  readonly run: string
  /** The folder that is built in; null while there is none. */
  readonly stagingFolder: string | null
}

/** The error to throw instead; `what` is being saved. Any error that is of something else comes back as it is. */
export function asSaveError(error: unknown, { run, stagingFolder }: FailedSave, what: string): unknown {
  if (!(error instanceof StorageError) || error instanceof SaveError) return error
  const isInside =
    stagingFolder !== null && (error.path === stagingFolder || error.path.startsWith(stagingFolder + sep))
  if (!isInside && !isFull(error.errno)) return error
  return new SaveError(run, error.errno, `${run}: ${what} cannot be saved: ${reasonOf(error)}; nothing was saved`, {
    cause: error,
    ...hintFor(run, error),
  })
}

class SaveError extends StorageError {}

function hintFor(run: string, { errno, hint }: StorageError): { hint?: string } {
  if (!isFull(errno)) return hint === undefined ? {} : { hint }
  const path = quoteWord(run)
  return {
    hint: `make space there, then save again: ckpt prune ${path} --keep 1 --dry-run shows what could go, ckpt trash empty ${path} what is in the trash`,
  }
}
