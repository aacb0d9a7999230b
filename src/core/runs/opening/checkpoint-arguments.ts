/** Checkpoints that are no longer there, as someone types them: by what is remembered of their runs. */
import { addTo } from '../../grouped.js'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { CkptError } from '../../errors.js'
import { openRun } from './open-run.js'
import type { Storage } from '../../storage/storage.js'

/** A checkpoint's name can have parts (`val/acc=0.9.ckpt`): its run is this many folders up at most. */
const mostParts = 3

export interface Named<T> {
  /** Absolute. */
  readonly run: string
  readonly found: T
}

/** What was named, run by run: each run is changed once. */
export function byRun<T>(named: readonly Named<T>[]): ReadonlyMap<string, readonly T[]> {
  const runs = new Map<string, T[]>()
  for (const { run, found } of named) addTo(runs, run, found)
  return runs
}

/**
 * What `find` knows of the checkpoint that is meant: a path whose run is one of the folders above, else a name in the
 * run at or below `base`. Null when nothing is known of it.
 */
export async function findRemembered<T>(
  storage: Storage,
  argument: string,
  base: string,
  find: (run: string, name: string) => Promise<T | undefined>,
): Promise<Named<T> | null> {
  const path = resolve(base, argument)
  let run = dirname(path)
  for (let parts = 1; parts <= mostParts; parts += 1) {
    const found = await find(run, relative(run, path))
    if (found !== undefined) return { run, found }
    run = dirname(run)
  }
  // No name begins at the root of all files.
  if (isAbsolute(argument)) return null
  for (const folder of [resolve(base), await runBelow(storage, base)]) {
    const found = folder === null ? undefined : await find(folder, argument)
    if (folder !== null && found !== undefined) return { run: folder, found }
  }
  return null
}

async function runBelow(storage: Storage, base: string): Promise<string | null> {
  try {
    return (await openRun(storage, resolve(base))).path
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}
