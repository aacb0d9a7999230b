/** Checkpoints that no prune may take. A pin binds ckpt alone: nothing in the checkpoint's folder changes. */
import { join } from 'node:path'
import { CkptError } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { nameElsewhere } from './elsewhere.js'
import { LimitedWarnings } from './limited-warnings.js'
import { badRecord, readRecord, tellMisfit, unlinkIfThere, writeRecord } from './record.js'
import { isCheckpointName, isList, isText, isTime } from './schema.js'
import { makeState } from './make-state.js'
import type { StateFolder } from './state-folder.js'

export interface Pin {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** May be empty. */
  readonly note: string
  /** Unix seconds. */
  readonly time: number
  /** `list` has reported that the checkpoint is gone. */
  readonly goneTold: boolean
  /** Unix seconds: from then on it protects no more. Absent: it does until it is taken away. */
  readonly until?: number
}

/** True for a pin that still protects. `now` is Unix seconds. */
export function isInForce({ until }: Pin, now: number): boolean {
  return until === undefined || until > now
}

const fileName = 'pins.json'

export function pinsPath(state: StateFolder): string {
  return join(state.path, fileName)
}

/**
 * The pins of one state folder, by the checkpoint's name, in the order in which they were made. Throws CkptError
 * `damaged`, StorageError.
 */
export async function readPins(storage: ReadStorage, state: StateFolder): Promise<ReadonlyMap<string, Pin>> {
  const path = pinsPath(state)
  const record = await readRecord(storage, path)
  const list = record?.get('pins') ?? []
  if (!isList(list)) throw badRecord(path, '"pins" is not a list')
  const warnings = new LimitedWarnings(storage)
  const pins = list.map((one) => {
    const pin = isJsonObject(one) ? toPin(warnings, path, one) : null
    if (pin === null) throw badRecord(path, 'a pin without the name of a checkpoint')
    return pin
  })
  warnings.warnOfRest(path)
  return longestByName(pins)
}

export const otherFolder =
  'see what is there; once it is moved away, or another folder is named (--state DIR), no pin in it counts'

/**
 * Pins of a state folder that is not trusted: all that they can do is to keep checkpoints, so each that is one counts.
 * What cannot be read may hold some too: throws CkptError `refused`, for then nobody knows what may go.
 */
export async function readDistrustedPins(storage: ReadStorage, state: StateFolder): Promise<ReadonlyMap<string, Pin>> {
  const path = pinsPath(state)
  const record = await readRecord(storage, path).catch((error: unknown) => {
    throw error instanceof CkptError ? unknownPins(path, error, otherFolder) : error
  })
  if (record === null) return new Map()
  const list = record.get('pins') ?? []
  if (!isList(list)) throw unknownPins(path, badRecord(path, '"pins" is not a list'), otherFolder)
  const warnings = new LimitedWarnings(storage)
  const pins = list.map((one) => (isJsonObject(one) ? toPin(warnings, path, one) : null))
  warnings.warnOfRest(path)
  if (pins.includes(null)) tellMisfit(storage, path, 'a pin without the name of a checkpoint')
  const readable = pins.filter((pin) => pin !== null)
  if (readable.length > 0) {
    storage.custody.warn(`${path}: the pins there (${readable.length}) protect too, though the folder is not trusted`)
  }
  return longestByName(readable)
}

/** Of several pins of one checkpoint the one that protects longest: no record takes away what another one pins. */
export function longestByName(pins: Iterable<Pin>): Map<string, Pin> {
  const byName = new Map<string, Pin>()
  for (const pin of pins) {
    const other = byName.get(pin.name)
    if (other === undefined || endOf(pin) >= endOf(other)) byName.set(pin.name, pin)
  }
  return byName
}

function endOf({ until = Infinity }: Pin): number {
  return until
}

/** Nothing may go while nobody knows what is pinned. */
export function unknownPins(
  path: string,
  error: CkptError,
  hint = 'see what is there; once it is moved away, no pin in it counts',
): CkptError {
  return new CkptError('refused', `what is pinned in ${path} cannot be read: ${error.message}`, { hint, cause: error })
}

function toPin(warnings: LimitedWarnings, path: string, one: JsonObject): Pin | null {
  const [name, note, time, gone, until] = ['name', 'note', 'time', 'goneTold', 'until'].map((key) => one.get(key))
  if (!isCheckpointName(name)) return null
  // A pin is made before it ends. What says otherwise is not an end that ckpt wrote, and must not let the checkpoint go.
  const hasEnd = isTime(time) && isTime(until) && until > time
  if (until !== undefined && !hasEnd) tellMisfit(warnings, path, `the pin of ${name} ends before it was made, or never`)
  return {
    name,
    note: isText(note) ? note : '',
    time: isTime(time) ? time : 0,
    goneTold: gone === true,
    ...(hasEnd ? { until } : {}),
  }
}

/** Under the run's lock only. None: no file. Throws CkptError `refused` (elsewhere.ts), StorageError. */
export async function writePins(storage: Storage, state: StateFolder, pins: Iterable<Pin>): Promise<void> {
  const list = [...pins]
  const path = pinsPath(state)
  if (list.length === 0) return unlinkIfThere(storage, path)
  await makeState(storage, state)
  await nameElsewhere(storage, state, 'elsewhere')
  await writeRecord(storage, path, { version: 1, pins: list })
}
