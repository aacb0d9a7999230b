/** Guards a run's folder: later changes in it follow no symbolic link, and none is made where somebody's led to it. */
import type { ReadStorage } from '../../storage/storage.js'

/** `run` is absolute, and need not be there yet. Throws UntrustedError where nothing may be changed, StorageError. */
export function guardRun(storage: ReadStorage, run: string): void {
  const refusal = storage.guard({ kind: 'run', path: run })
  if (refusal !== null) throw refusal
}
