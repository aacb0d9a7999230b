/** The trash of the run that someone names, which may have lost its last checkpoint to it. */
import { resolve } from 'node:path'
import { openRun } from './index.js'
import { readTrash, stateFolderOf, type StateFolder, type TrashContents } from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'

export interface RunTrash {
  /** Absolute. */
  readonly run: string
  readonly state: StateFolder
  readonly contents: TrashContents
}

/** Throws as `openRun` does when the folder has no trash of its own and is above no run. */
export async function openRunTrash(
  storage: Storage,
  argument: string,
  stateDirectory: string | undefined,
): Promise<RunTrash> {
  const path = resolve(argument)
  const own = await trashOf(storage, path, stateDirectory)
  const [there] = await storage.lstat([own.state.path])
  if (there?.ok === true) return own
  return trashOf(storage, (await openRun(storage, path, { stateDirectory })).path, stateDirectory)
}

async function trashOf(storage: Storage, run: string, stateDirectory: string | undefined): Promise<RunTrash> {
  const state = await stateFolderOf(storage, run, stateDirectory)
  return { run, state, contents: await readTrash(storage, state) }
}
