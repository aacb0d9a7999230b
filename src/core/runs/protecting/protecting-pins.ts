/** What is pinned of a run, in whichever folder that is remembered. */
import type { Run } from '../../checkpoint.js'
import { CkptError, isUnreadable, StorageError } from '../../errors.js'
import {
  longestByName,
  orWarn,
  otherFolder,
  otherStatesOf,
  pointedStateFolderOf,
  readDistrustedPins,
  readElsewhere,
  readPins,
  stateFolderOf,
  unknownPins,
  type NamedFolder,
  type Pin,
  type StateFolder,
} from '../../changes/state/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { StateLocation } from '../opening/run-with-state.js'

/** The run's pins by the checkpoint's name. Throws as `protectingPins`; `refused` where the system does not show them. */
export async function pinsOf(
  storage: ReadStorage,
  run: Pick<Run, 'path'>,
  { stateDirectory }: StateLocation,
): Promise<ReadonlyMap<string, Pin>> {
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  return protectingPins(storage, run.path, state).catch((error: unknown) => {
    throw error instanceof StorageError && isUnreadable(error.errno) ? unknownPins(state.path, error) : error
  })
}

/**
 * What is pinned in this state folder, in another one that the run may have, or in one that `--state` named once:
 * nothing is deleted because a folder is trusted no more, or again, or because another one is in use. Throws CkptError
 * `damaged`, `refused` (there may be pins that cannot be read), StorageError.
 */
export async function protectingPins(
  storage: ReadStorage,
  run: string,
  state: StateFolder,
): Promise<ReadonlyMap<string, Pin>> {
  const records = await pinRecordsOf(storage, run, state)
  const elsewhere = await readPointed(storage, run, state, records)
  // The last of equals counts: that of the folder in use.
  const all = [...elsewhere.values(), ...records.map(({ pins }) => pins).toReversed()]
  return longestByName(all.flatMap((pins) => [...pins.values()]))
}

/**
 * The pins in folders that `--state` named when they were made and that are not in use now, by folder. Throws as
 * `protectingPins`.
 */
export async function pinsElsewhere(
  storage: ReadStorage,
  run: string,
  state: StateFolder,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Pin>>> {
  return readPointed(storage, run, state, await pinRecordsOf(storage, run, state))
}

interface FoundRecord {
  readonly state: StateFolder
  readonly pins: ReadonlyMap<string, Pin>
  /** Folders that `--state` named, with more pins. */
  readonly elsewhere: readonly NamedFolder[]
  /** What cannot be read of it is a warning and stops nothing. */
  readonly isLenient?: boolean
}

/** That of the folder in use is the first. */
async function pinRecordsOf(storage: ReadStorage, run: string, state: StateFolder): Promise<FoundRecord[]> {
  const { trusted, distrusted } = await otherStatesOf(storage, run, state)
  const found: FoundRecord[] = []
  for (const folder of [state, ...trusted]) {
    const pins = await readPins(storage, folder)
    found.push({ state: folder, pins, elsewhere: await readElsewhere(storage, folder) })
  }
  if (distrusted === null) return found
  // Anybody may have put there what cannot be read: to name another folder is the way on.
  const isLenient = state.moved !== undefined
  const read = () => readDistrusted(storage, distrusted)
  const record = isLenient ? await orWarn(storage, read, notTrusted) : await read()
  return record === null ? found : [...found, { ...record, isLenient }]
}

const notTrusted = 'that folder is not trusted, so nothing waits for it'

/** Throws CkptError `refused`. */
async function readDistrusted(storage: ReadStorage, state: StateFolder): Promise<FoundRecord> {
  const pins = await readDistrustedPins(storage, state)
  const elsewhere = await readElsewhere(storage, state).catch((error: unknown) => {
    throw error instanceof CkptError ? unknownPins(state.path, error, otherFolder) : error
  })
  return { state, pins, elsewhere }
}

/** Throws CkptError `refused` for a folder that cannot be read, is not trusted or is not there. */
async function readPointed(storage: ReadStorage, run: string, { moved }: StateFolder, records: readonly FoundRecord[]) {
  const found = new Map<string, ReadonlyMap<string, Pin>>()
  for (const { elsewhere, isLenient = false } of records) {
    for (const { folder, namedBy } of elsewhere) {
      if (folder === moved || found.has(folder)) continue
      const read = () => readPinsIn(storage, run, folder, namedBy)
      const pins = isLenient ? await orWarn(storage, read, notTrusted) : await read()
      if (pins !== null) found.set(folder, pins)
    }
  }
  return found
}

async function readPinsIn(storage: ReadStorage, run: string, folder: string, namedBy: string) {
  const pointed = await pointedStateFolderOf(storage, run, folder)
  try {
    // Not there is not empty: a disk may not be mounted, and taking the last pin away takes the name away too.
    const [listing] = await storage.list([pointed.path])
    if (listing?.ok === false) throw listing.error
    return await readPins(storage, pointed)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    const hint = `make it readable again; where nothing in it is to count any more, remove ${namedBy}, which names it`
    throw unknownPins(pointed.path, error, hint)
  }
}
