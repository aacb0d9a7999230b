/** A folder of the state folder with one record for each checkpoint. */
import { join } from 'node:path'
import type { JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { neutralName } from './neutral-name.js'
import { LimitedWarnings } from './limited-warnings.js'
import { draftSuffix, quietly, readRecordOrNull, tellMisfit } from './record.js'

const suffix = '.json'

/** Of the checkpoint of that name, relative to its run. */
export function recordPath(folder: string, name: string): string {
  return join(folder, neutralName(name) + suffix)
}

/**
 * What `parse` makes of each record; null where it cannot be one of ckpt's, which is reported with `misfit` and left out.
 * None where the folder is not there. Throws StorageError.
 */
export async function readRecords<T extends { readonly name: string }>(
  storage: ReadStorage,
  folder: string,
  parse: (record: JsonObject) => T | null,
  misfit: string,
): Promise<T[]> {
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) {
    if (listing !== undefined && listing.error.code !== 'not-found') throw listing.error
    return []
  }
  const found: T[] = []
  const warnings = new LimitedWarnings(storage)
  for (const { name } of listing.value.filter((entry) => entry.name.endsWith(suffix))) {
    const path = join(folder, name)
    const record = await readRecordOrNull(warnings, path)
    if (record === null) continue
    const parsed = parse(record)
    if (parsed === null) tellMisfit(warnings, path, misfit)
    else if (path !== recordPath(folder, parsed.name)) tellMisfit(warnings, path, 'it belongs to another file name')
    else found.push(parsed)
  }
  warnings.warnOfRest(folder)
  return found
}

/** What a kill left while a record was written. Never fails; true where the folder is there. */
export async function removeDraftsIn(storage: Storage, folder: string): Promise<boolean> {
  const [listing] = await storage.list([folder])
  for (const { name } of listing?.ok === true ? listing.value : []) {
    if (name.endsWith(suffix + draftSuffix)) await quietly(() => storage.unlink(join(folder, name)))
  }
  return listing?.ok === true
}
