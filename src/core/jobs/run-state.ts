/** What ckpt remembers of the jobs of a run that someone names: of the folder itself, else of the one run below it. */
import { resolve } from 'node:path'
import { readJournal, type JournalContents } from '../changes/journal/index.js'
import { openRun } from '../runs/index.js'
import { stateFolderOf, type StateFolder } from '../changes/state/index.js'
import type { ReadStorage } from '../storage/storage.js'

export interface RunState {
  /** Absolute. */
  readonly run: string
  readonly state: StateFolder
  readonly journal: JournalContents
}

/** Throws as `openRun` does when the folder has no journal of its own and is above no run. */
export async function openRunState(
  storage: ReadStorage,
  argument: string,
  stateDirectory: string | undefined,
): Promise<RunState> {
  const own = await stateOf(storage, resolve(argument), stateDirectory)
  if (own.journal.entries.length > 0) return own
  return stateOf(storage, (await openRun(storage, own.run, { stateDirectory })).path, stateDirectory)
}

async function stateOf(storage: ReadStorage, run: string, stateDirectory: string | undefined): Promise<RunState> {
  const state = await stateFolderOf(storage, run, stateDirectory)
  return { run, state, journal: await readJournal(storage, state) }
}
