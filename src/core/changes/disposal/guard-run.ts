/** From then on what changes a folder follows no link in it. */
import { basename, dirname, join } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'

/** `run` is absolute. */
export async function guardRun(storage: ReadStorage, run: string): Promise<void> {
  const [real] = await storage.resolve([run])
  if (real?.ok === true) storage.guard({ kind: 'run', path: run, real: real.value })
}

/** The same for a folder that is yet to be made, in one that is there. */
export async function guardNew(storage: ReadStorage, folder: string): Promise<void> {
  const [above] = await storage.resolve([dirname(folder)])
  if (above?.ok === true) storage.guard({ kind: 'run', path: folder, real: join(above.value, basename(folder)) })
}
