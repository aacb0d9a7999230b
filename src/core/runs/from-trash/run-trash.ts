/** The trash of the run that someone names, which may have lost its last checkpoint to it. */
import { resolve } from 'node:path'
import { openRun } from '../opening/open-run.js'
import {
  readKnownElsewhere,
  readTrash,
  stateFolderOf,
  type StateFolder,
  type TrashContents,
  type TrashEntry,
} from '../../changes/state/index.js'
import { quoteWord } from '../../formats/text/shell-words.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'

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

/** What lies in the trash of another state folder of the run. */
export interface TrashElsewhere {
  readonly entries: readonly TrashEntry[]
  /** What names that folder on a command line: `--state DIR`, or that none is named. */
  readonly flag: string
}

/** The run's trash in its other state folders, as far as there is any. */
export async function trashElsewhere(
  storage: ReadStorage,
  run: string,
  stateDirectory: string | undefined,
): Promise<TrashElsewhere[]> {
  const state = await stateFolderOf(storage, run, stateDirectory)
  const others = await readKnownElsewhere(storage, state, (other) => readTrash(storage, other))
  return others
    .filter(({ value }) => value.entries.length > 0)
    .map(({ other: { moved }, value: { entries } }) => {
      return { entries, flag: moved === undefined ? '(without --state)' : `--state ${quoteWord(moved)}` }
    })
}
