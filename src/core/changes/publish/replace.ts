/** Something new takes the place of what has a name, in one step. */
import { dirname } from 'node:path'
import type { Wait } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'
import { closeStaging, openStaging } from './open-staging.js'

export interface ReplaceOptions {
  /** Stands for `<parent of the run>/.ckpt/<run's name>`. */
  readonly stateDirectory?: string | undefined
  readonly wait: Wait
}

/**
 * What `build` makes at the path that it is given, outside of what frameworks look into, is renamed over `target` in the
 * run, durably; but not where `build` gives false. Throws CkptError; then the name is what it was.
 */
export async function replaceName(
  storage: Storage,
  run: string,
  target: string,
  build: (building: string) => Promise<boolean>,
  { stateDirectory, wait }: ReplaceOptions,
): Promise<boolean> {
  const staging = await openStaging(storage, run, dirname(target), stateDirectory)
  try {
    if (!(await build(staging.building))) return false
    await storage.rename(staging.building, target)
    await storage.syncDirectory(dirname(target))
    return true
  } finally {
    await closeStaging(storage, staging, wait)
  }
}
