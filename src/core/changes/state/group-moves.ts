/**
 * Groups of files that are leaving the run, or coming back: no single rename takes them all. While such a record is
 * there the group belongs to the run, and the next holder of the lock gives it back what has left it.
 */
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { isNeutralName } from './neutral-name.js'
import { readRecords, recordPath, removeDraftsIn } from './record-folder.js'
import { quietly, unlinkIfThere, writeRecord } from './record.js'
import { isCheckpointName, isInode, isList } from './schema.js'
import { makeInside, removeEmpty } from './make-state.js'
import type { StateFolder } from './state-folder.js'

export interface GroupMember {
  /** Relative to the run. */
  readonly name: string
  readonly inode: string
}

export interface GroupMove {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** The folder where they lie meanwhile: relative to the state folder, or to the run where `isBeside`. */
  readonly at: string
  readonly isBeside: boolean
  readonly members: readonly GroupMember[]
}

/** The folder of these records in the state folder. */
export const moving = 'moving'

function pathOf(state: StateFolder, name: string): string {
  return recordPath(join(state.path, moving), name)
}

/** Under the run's lock only. Throws StorageError. */
export async function writeGroupMove(storage: Storage, state: StateFolder, move: GroupMove): Promise<void> {
  await makeInside(storage, state, moving)
  await writeRecord(storage, pathOf(state, move.name), { version: 1, ...move })
}

/** Under the run's lock only. Throws StorageError. */
export async function forgetGroupMove(storage: Storage, state: StateFolder, name: string): Promise<void> {
  await unlinkIfThere(storage, pathOf(state, name))
  await quietly(() => storage.syncDirectory(join(state.path, moving)))
  await removeEmpty(storage, state, moving)
}

/** Drafts that a kill left go too. Under the run's lock only. Never fails. */
export async function removeGroupDrafts(storage: Storage, state: StateFolder): Promise<void> {
  if (await removeDraftsIn(storage, join(state.path, moving))) await removeEmpty(storage, state, moving)
}

/** What cannot be ckpt's is reported and left out. Throws StorageError. */
export async function readGroupMoves(storage: ReadStorage, state: StateFolder): Promise<GroupMove[]> {
  const misfit = 'a name or list is not one of a group that was moved'
  return readRecords(storage, join(state.path, moving), toMove, misfit)
}

function toMove(record: JsonObject): GroupMove | null {
  const [name, at, isBeside, list] = ['name', 'at', 'isBeside', 'members'].map((key) => record.get(key))
  if (!isCheckpointName(name) || typeof at !== 'string' || typeof isBeside !== 'boolean' || !isList(list)) return null
  if (!isFolderAndSide(at, isBeside)) return null
  const members = list.map((one) => {
    if (!isJsonObject(one)) return null
    const [own, inode] = [one.get('name'), one.get('inode')]
    return isCheckpointName(own) && isInode(inode) ? { name: own, inode } : null
  })
  return members.every((one) => one !== null) ? { name, at, isBeside, members } : null
}

/** In the trash or among what is being deleted; beside a checkpoint in a hidden folder of ckpt's. */
function isFolderAndSide(at: string, isBeside: boolean): boolean {
  const parts = at.split('/')
  if (!isNeutralName(parts.at(-1) ?? '')) return false
  if (!isBeside) return (parts[0] === 'trash' || parts[0] === 'deleting') && parts.slice(1).every(isNeutralName)
  const hidden = parts.findIndex((part) => part.startsWith('.'))
  return hidden >= 0 && parts.slice(hidden).every(isNeutralName) && parts.every((part) => part !== '..' && part !== '')
}
