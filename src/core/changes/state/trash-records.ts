/** What lies in the trash: for each thing a record beside it, with the name that it had. */
import { join } from 'node:path'
import type { JsonObject } from '../../formats/text/json.js'
import type { Identity, ReadStorage, Storage } from '../../storage/storage.js'
import { LimitedWarnings } from './limited-warnings.js'
import { isNeutralName } from './neutral-name.js'
import { readRecordOrNull, tellMisfit, writeRecord } from './record.js'
import { isCheckpointName, isCount, isEntryName, isList, isText, isTime } from './schema.js'
import type { StateFolder } from './state-folder.js'

export interface TrashRecord {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** Unix seconds: when it was moved. */
  readonly time: number
  /** Why it was. */
  readonly reason: string
  readonly layout: string
  /** A group lies in a folder of its own. */
  readonly kind: 'directory' | 'file' | 'group'
  /** Of a group, the names of its members relative to its run. */
  readonly members: readonly string[]
  /** Bytes on the medium that removing it frees, when it was moved. */
  readonly size: number
  /** Names of the framework's pointer files in the run that named it. */
  readonly namedBy: readonly string[]
}

export interface TrashEntry extends TrashRecord {
  /** Its neutral name in the trash. */
  readonly id: string
  /** Which file or folder it is, so that nothing else is taken for it later. */
  readonly identity: Identity
  /** Absolute. */
  readonly path: string
}

export interface TrashContents {
  /** Newest first. */
  readonly entries: readonly TrashEntry[]
  /** Absolute paths of things without a readable record; they have no name to go back to. */
  readonly unknown: readonly string[]
  /** Absolute paths of records of which nothing is there: what a kill between the two left. */
  readonly orphans: readonly string[]
}

/** The folder of the trash in the state folder. */
export const trash = 'trash'
const suffix = '.json'

export function trashRecordPath(at: string): string {
  return at + suffix
}

export async function writeTrashRecord(storage: Storage, at: string, record: TrashRecord): Promise<void> {
  await writeRecord(storage, trashRecordPath(at), { version: 1, ...record })
}

/** Throws StorageError when the trash is there and cannot be listed. */
export async function readTrash(storage: ReadStorage, state: StateFolder): Promise<TrashContents> {
  const folder = join(state.path, trash)
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) {
    if (listing !== undefined && listing.error.code !== 'not-found') throw listing.error
    return { entries: [], unknown: [], orphans: [] }
  }
  const names = listing.value.map((entry) => entry.name)
  const things = names.filter(isNeutralName)
  const records = names.filter((name) => name.includes(suffix))
  const isThere = new Set(things)
  const entries: TrashEntry[] = []
  const unknown: string[] = []
  const warnings = new LimitedWarnings(storage)
  for (const id of things) {
    const path = join(folder, id)
    const entry = await readEntry(storage, warnings, id, path)
    if (entry === null) unknown.push(path)
    else entries.push(entry)
  }
  warnings.warnOfRest(folder)
  const orphans = records.filter((name) => !isThere.has(name.slice(0, name.indexOf(suffix))))
  entries.sort((a, b) => b.time - a.time || (a.name < b.name ? -1 : 1))
  return { entries, unknown, orphans: orphans.map((name) => join(folder, name)) }
}

async function readEntry(
  storage: ReadStorage,
  warnings: LimitedWarnings,
  id: string,
  path: string,
): Promise<TrashEntry | null> {
  const record = await readRecordOrNull(warnings, trashRecordPath(path))
  if (record === null) return null
  const parsed = toRecord(record)
  if (parsed === null)
    return tellMisfit(warnings, trashRecordPath(path), 'a name, number or kind is not one of a checkpoint')
  const [stat] = await storage.lstat([path])
  if (stat?.ok !== true) return null
  if (stat.value.kind !== (parsed.kind === 'file' ? 'file' : 'directory'))
    return tellMisfit(warnings, path, `a ${parsed.kind} was put there`)
  const { device, inode } = stat.value
  return { id, path, identity: { device, inode }, ...parsed }
}

function toRecord(record: JsonObject): TrashRecord | null {
  const [name, time, reason, layout, kind, size] = ['name', 'time', 'reason', 'layout', 'kind', 'size'].map((key) =>
    record.get(key),
  )
  if (!isCheckpointName(name) || !isTime(time)) return null
  if (kind !== 'file' && kind !== 'directory' && kind !== 'group') return null
  const list = record.get('members')
  const members = isList(list) ? list.filter(isCheckpointName) : []
  if (kind === 'group' && members.length < 2) return null
  const pointerFiles = record.get('namedBy')
  return {
    name,
    time,
    reason: isText(reason) ? reason : '',
    layout: isText(layout) ? layout : '',
    kind,
    members,
    size: isCount(size) ? size : 0,
    namedBy: isList(pointerFiles) ? pointerFiles.filter(isEntryName) : [],
  }
}
