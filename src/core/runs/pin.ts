/** Pinning and unpinning, and telling of pins whose checkpoint is gone. */
import { join } from 'node:path'
import type { Run } from '../checkpoint.js'
import { CkptError, StorageError } from '../errors.js'
import {
  acquireLock,
  otherStateFolderOf,
  readDistrustedPins,
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
  /** Unix seconds: when they end by themselves; absent: never. */
  readonly until?: number | undefined
}

/** Pins checkpoints of the run; one that is pinned gets the new note. Throws CkptError `refused`, `damaged`. */
export async function pin(
  storage: Storage,
  run: string,
  { names, note, until }: PinRequest,
  options: LockOptions & StateLocation,
): Promise<Pin[]> {
  const made = names.map((name): Pin => ({
    name,
    note,
    time: options.now(),
    goneTold: false,
    ...(until === undefined ? {} : { until }),
  }))
  await changePins(storage, run, options, (pins) => {
    for (const one of made) pins.set(one.name, one)
  })
  return made
}

/**
 * Takes pins away, wherever they protect. Throws CkptError `refused` where one lies in a folder that is not trusted, and
 * so never changed.
 */
export async function unpin(
  storage: Storage,
  run: string,
  names: readonly string[],
  options: LockOptions & StateLocation,
): Promise<void> {
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  const other = options.stateDirectory === undefined ? await otherStateFolderOf(storage, run, state) : null
  if (other !== null && state.distrusted !== undefined) await refuseDistrusted(storage, other, names)
  for (const folder of [state, state.distrusted === undefined ? other : null]) {
    const pins = folder === null ? null : await readPins(storage, folder)
    if (folder === null || !names.some((name) => pins?.has(name))) continue
    await changePinsIn(storage, folder, options, (found) => {
      for (const name of names) found.delete(name)
    })
  }
}

async function refuseDistrusted(storage: Storage, folder: StateFolder, names: readonly string[]): Promise<void> {
  const pins = await readDistrustedPins(storage, folder)
  const pinned = names.find((name) => pins.has(name))
  if (pinned === undefined) return
  const path = join(folder.path, 'pins.json')
  throw new CkptError(
    'refused',
    `${pinned} is pinned in ${path}, and ckpt changes nothing in a folder that is not trusted`,
    {
      hint: 'make the folder one that is (a warning says why it is not), or take the pin out of that file by hand',
    },
  )
}

async function changePins(
  storage: Storage,
  run: string,
  options: LockOptions & StateLocation,
  change: (pins: Map<string, Pin>) => void,
): Promise<void> {
  await changePinsIn(storage, await stateFolderOf(storage, run, options.stateDirectory), options, change)
}

async function changePinsIn(
  storage: Storage,
  state: StateFolder,
  options: LockOptions,
  change: (pins: Map<string, Pin>) => void,
): Promise<void> {
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
