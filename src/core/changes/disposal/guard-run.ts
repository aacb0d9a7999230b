/** Guards a run's folder: later changes in it follow no symbolic link. */
import type { ReadStorage } from '../../storage/storage.js'

/**
 * `run` is absolute, and need not be there yet. `reachedBy` is the path, absolute, of a link by which a checkpoint in it
 * was named.
 */
export function guardRun(storage: ReadStorage, run: string, reachedBy?: string): void {
  storage.guard({ kind: 'run', path: run, reachedBy })
}
