/** From then on what changes the run follows no link in it. */
import type { ReadStorage } from '../../storage/storage.js'

/** `run` is absolute. */
export async function guardRun(storage: ReadStorage, run: string): Promise<void> {
  const [real] = await storage.resolve([run])
  if (real?.ok === true) storage.guard({ kind: 'run', path: run, real: real.value })
}
