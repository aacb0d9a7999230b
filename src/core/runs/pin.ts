/** Pinning and unpinning, and telling of pins whose checkpoint is gone. */
import type { Run } from '../checkpoint.js'
import { CkptError, StorageError } from '../errors.js'
import {
  acquireLock,
  readPins,
  refuseWithout,
  stateFolderOf,
  writePins,
  type LockOptions,
  type Pin,
  type StateFolder,
} from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'
import type { StateLocation } from './run-with-state.js'

export interface PinRequest {
  readonly names: readonly string[]
  readonly note: string
}

/** Pins checkpoints of the run; one that is pinned gets the new note. Throws CkptError `refused`, `damaged`. */
export async function pin(
  storage: Storage,
  run: string,
  { names, note }: PinRequest,
  options: LockOptions & StateLocation,
): Promise<Pin[]> {
  const made = names.map((name): Pin => ({ name, note, time: options.now(), goneTold: false }))
  await changePins(storage, run, options, (pins) => {
    for (const one of made) pins.set(one.name, one)
  })
  return made
}

/** Takes pins away; gives the names that had none. */
export async function unpin(
  storage: Storage,
  run: string,
  names: readonly string[],
  options: LockOptions & StateLocation,
): Promise<string[]> {
  const without: string[] = []
  await changePins(storage, run, options, (pins) => {
    for (const name of names) if (!pins.delete(name)) without.push(name)
  })
  return without
}

async function changePins(
  storage: Storage,
  run: string,
  options: LockOptions & StateLocation,
  change: (pins: Map<string, Pin>) => void,
): Promise<void> {
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  await holding(storage, state, options, 'a pin', async () => {
    const pins = new Map(await readPins(storage, state))
    change(pins)
    await writePins(storage, state, pins.values())
  })
}

/** Like `withLock`, for what cannot be done without a state folder: refused (exit 5) where it cannot be written. */
export async function holding<T>(
  storage: Storage,
  state: StateFolder,
  options: LockOptions,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(storage, state, options).catch((error: unknown) => {
    throw error instanceof StorageError ? refuseWithout(state, what, error) : error
  })
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

/** The pins whose checkpoint is not there and of which that has not been told, once it is remembered as told. */
export async function takeGonePins(
  storage: Storage,
  run: Run,
  pins: ReadonlyMap<string, Pin>,
  options: LockOptions & StateLocation,
): Promise<Pin[]> {
  const there = new Set(run.checkpoints.map(({ name }) => name))
  const untold = [...pins.values()].filter((one) => !there.has(one.name) && !one.goneTold)
  const back = [...pins.values()].filter((one) => there.has(one.name) && one.goneTold)
  if (untold.length === 0 && back.length === 0) return []
  try {
    await changePins(storage, run.path, options, (current) => {
      for (const one of [...untold, ...back]) {
        const known = current.get(one.name)
        if (known !== undefined) current.set(one.name, { ...known, goneTold: !there.has(one.name) })
      }
    })
  } catch (error) {
    // It cannot be remembered, so it is told again: better than never.
    if (!(error instanceof CkptError)) throw error
  }
  return untold
}
