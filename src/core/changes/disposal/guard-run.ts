/** Guards a run's folder: later changes in it follow no symbolic link. */
import type { ReadStorage } from '../../storage/storage.js'

/** `run` is absolute, and need not be there yet. */
export function guardRun(storage: ReadStorage, run: string): void {
  storage.guard({ kind: 'run', path: run })
}
