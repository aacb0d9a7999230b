/** From then on what changes a folder follows no link in it. */
import type { ReadStorage } from '../../storage/storage.js'

/** `run` is absolute, and need not be there yet. */
export function guardRun(storage: ReadStorage, run: string): void {
  storage.guard({ kind: 'run', path: run })
}
