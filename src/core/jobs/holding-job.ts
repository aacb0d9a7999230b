/** One job at a time in a run, with the run's journal open. */
import { dirname } from 'node:path'
import { CkptError, StorageError } from '../errors.js'
import { attemptsOf, Journal, type RecordedAttempt } from '../changes/journal/index.js'
import { makeFolders } from '../changes/publish/index.js'
import type { StateLocation } from '../runs/index.js'
import {
  acquireLock,
  jobLock,
  stateFolderOf,
  type Lock,
  type LockOptions,
  type Processes,
  type StateFolder,
} from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'

/**
 * Runs `work` while holding the run's job lock. Where state cannot be written the job runs without, which is reported: it
 * matters more. Throws CkptError `refused` when another job is running.
 */
export async function holdingJob<T>(
  storage: Storage,
  { path, stateDirectory }: { readonly path: string } & StateLocation,
  options: LockOptions,
  tell: (text: string) => void,
  work: (journal: Journal) => Promise<T>,
): Promise<T> {
  const state = await stateFolderOf(storage, path, stateDirectory)
  const lock = await acquire(storage, state, stateDirectory === undefined ? dirname(path) : null, options).catch(
    (error: unknown) => {
      if (!(error instanceof StorageError)) throw error
      tell(`no lock and no journal, for ckpt's state cannot be written: ${error.message}`)
      return null
    },
  )
  try {
    const journal = await openJournal(storage, state, tell)
    refuseSurvivor(attemptsOf(journal.entries).at(-1), options.processes)
    return await work(journal)
  } finally {
    await lock?.release()
  }
}

/**
 * A ckpt that was killed takes nothing along: its job goes on, and a second one would write over it. How to end it is
 * told only of what is the user's own job: others may have written the journal, and a number in it may be anything's.
 */
function refuseSurvivor(last: RecordedAttempt | undefined, { self, startOf, isOwnJob }: Processes): void {
  if (last?.end !== null) return
  const { pid, started, host } = last.start
  if (pid === null || started === null || host !== self.host || startOf(pid) !== started) return
  const isSure = isOwnJob(pid)
  throw new CkptError(
    'refused',
    `the job that an earlier ckpt started ${isSure ? 'is still running' : 'seems to be running still'}, as process ${pid}`,
    {
      hint: isSure
        ? `that ckpt was killed, and its job was not; to end the job: kill -- -${pid}`
        : `it is not known to be a job of yours: see what it is (ps -fp ${pid}), and wait until it has ended`,
    },
  )
}

/** One that cannot be read is added to where that can be, and nothing is known of earlier starts, which is reported. */
async function openJournal(storage: Storage, state: StateFolder, tell: (text: string) => void): Promise<Journal> {
  try {
    return await Journal.open(storage, state, tellOnce(tell))
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    tell(`nothing is known of earlier starts, for the journal cannot be read: ${error.message}`)
    return Journal.unread(storage, state, tellOnce(tell))
  }
}

/** The folder above a run that has not begun yet may be missing too. */
async function acquire(
  storage: Storage,
  state: StateFolder,
  parent: string | null,
  options: LockOptions,
): Promise<Lock> {
  if (parent !== null) await makeFolders(storage, parent)
  return acquireLock(storage, state, { ...options, name: jobLock })
}

function tellOnce(tell: (text: string) => void): (error: CkptError) => void {
  let wasReported = false
  return (error) => {
    if (!wasReported) tell(`the journal could not be written: ${error.message}`)
    wasReported = true
  }
}
