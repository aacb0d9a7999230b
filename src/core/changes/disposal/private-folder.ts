/**
 * A folder that its maker alone can enter: what is to be deleted is moved into one first, so that nobody can reach what
 * is in it by a path while it goes.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { neutralName } from '../state/index.js'
import type { Storage } from '../../storage/storage.js'

/** Beside what others look into it is hidden. Throws StorageError. */
export async function makePrivateFolder(storage: Storage, within: string, isHidden = false): Promise<string> {
  const path = join(within, `${isHidden ? '.' : ''}${neutralName(randomUUID())}`)
  await storage.makeDirectory(path, 0o700)
  return path
}
