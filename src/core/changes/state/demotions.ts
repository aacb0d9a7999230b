/** Which checkpoints have lost what only resuming needs, so that nobody takes that for damage. */
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { nameElsewhere } from './elsewhere.js'
import { readRecords, recordPath, removeDraftsIn } from './record-folder.js'
import { draftSuffix, unlinkIfThere, writeRecord } from './record.js'
import { isCheckpointName, isCount, isEntryName, isInode, isList, isText, isTime } from './schema.js'
import { makeInside } from './make-state.js'
import type { StateFolder } from './state-folder.js'

/** A file or folder that a demotion takes, and how to know it again. */
export interface DroppedEntry {
  /** Of a file or folder right in the checkpoint. */
  readonly name: string
  /** Of the parameter file; null where it is none. */
  readonly key: string | null
  readonly inode: string
  /** Bytes. */
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
}

export interface Demotion {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** Unix seconds. */
  readonly time: number
  /** Unix seconds: the checkpoint's folder had this time, and shall keep it. */
  readonly modified: number
  readonly dropped: readonly DroppedEntry[]
  /** False while what was to go may still be there: the next prune or demotion finishes it. */
  readonly finished: boolean
}

/** The folder of these records in the state folder. */
export const demoted = 'demoted'

export function demotionPath(state: StateFolder, name: string): string {
  return recordPath(join(state.path, demoted), name)
}

/**
 * By the checkpoint's name. A record that cannot be read, or cannot be ckpt's, is reported and left out: it only explains
 * what is missing, and no checkpoint that has one is removed as damaged (unread-records.ts). Throws StorageError.
 */
export async function readDemotions(storage: ReadStorage, state: StateFolder): Promise<ReadonlyMap<string, Demotion>> {
  const misfit = 'a name, number or list is not one of a demotion'
  const demotions = await readRecords(storage, join(state.path, demoted), toDemotion, misfit)
  return new Map(demotions.map((demotion) => [demotion.name, demotion]))
}

function toDemotion(record: JsonObject): Demotion | null {
  const [name, time, modified, list] = ['name', 'time', 'modified', 'dropped'].map((key) => record.get(key))
  if (!isCheckpointName(name) || !isTime(time) || !isTime(modified) || !isList(list)) return null
  const dropped = list.map((one) => (isJsonObject(one) ? toEntry(one) : null))
  const finished = record.get('finished') === true
  return dropped.every((one) => one !== null) ? { name, time, modified, dropped, finished } : null
}

function toEntry(one: JsonObject): DroppedEntry | null {
  const [name, key, inode, size, modified] = ['name', 'key', 'inode', 'size', 'modified'].map((field) => one.get(field))
  if (!isEntryName(name) || !isInode(inode) || !isCount(size) || !isTime(modified)) return null
  return { name, key: isText(key) ? key : null, inode, size, modified }
}

/** Under the run's lock only; gives the record's path. Throws CkptError `refused` (elsewhere.ts), StorageError. */
export async function writeDemotion(storage: Storage, state: StateFolder, demotion: Demotion): Promise<string> {
  await makeInside(storage, state, demoted)
  await nameElsewhere(storage, state, 'elsewhere')
  const path = demotionPath(state, demotion.name)
  await writeRecord(storage, path, { version: 1, ...demotion })
  return path
}

/** Drafts of these records that a kill left. Under the run's lock only. Never fails. */
export async function removeDrafts(storage: Storage, state: StateFolder): Promise<void> {
  await removeDraftsIn(storage, join(state.path, demoted))
}

/** Under the run's lock only. Throws StorageError. */
export async function forgetDemotion(storage: Storage, state: StateFolder, name: string): Promise<void> {
  const path = demotionPath(state, name)
  await unlinkIfThere(storage, path + draftSuffix)
  await unlinkIfThere(storage, path)
}
