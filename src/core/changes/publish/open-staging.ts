/** Where a checkpoint is built before it appears: a staging folder of its own that no framework searches. */
import { join } from 'node:path'
import type { Wait } from '../../storage/retry.js'
import { removeTree } from '../disposal/remove-tree.js'
import { StorageError } from '../../errors.js'
import { makeInside, neutralName, removeEmpty, stateFolderOf, type StateFolder } from '../state/index.js'
import type { Storage } from '../../storage/storage.js'
import { besideIn, makeStagingFolder, staging, stagingOf, takeStale } from './staging-folders.js'

export interface Staging {
  /** A folder that only this build uses. */
  readonly folder: string
  /** Where the checkpoint is to be built, in that folder; nothing is there. */
  readonly building: string
  /** Null when the state folder could not be used. */
  readonly state: StateFolder | null
}

/**
 * In the folder's state folder; where that cannot be made or lies on another file system, a hidden folder in `beside`,
 * the folder where the checkpoint will appear. What killed builds left there is taken along.
 */
export async function openStaging(storage: Storage, into: string, beside: string, moved?: string): Promise<Staging> {
  const state = await stateFolderOf(storage, into, moved)
  const inState = await openInState(storage, state, beside)
  const folder = inState ?? (await makeStagingFolder(storage, besideIn(beside)))
  await takeStale(storage, inState === null ? besideIn(beside) : stagingOf(state), folder)
  return { folder, building: join(folder, neutralName('building')), state: inState === null ? null : state }
}

/** Removes the staging folder and what is empty above it. */
export async function closeStaging(storage: Storage, opened: Staging, wait: Wait): Promise<void> {
  await removeTree(storage, opened.folder, wait)
  if (opened.state !== null) await removeEmpty(storage, opened.state, staging)
}

async function openInState(storage: Storage, state: StateFolder, beside: string): Promise<string | null> {
  for (let tries = 0; ; tries += 1) {
    try {
      const folder = await makeInside(storage, state, staging)
      if (await isOnOneDevice(storage, folder, beside)) return await makeStagingFolder(storage, stagingOf(state))
      await removeEmpty(storage, state, staging)
      return null
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // Another ckpt that had finished took the empty folder away.
      if (error.errno === 'ENOENT' && tries < 3) continue
      await removeEmpty(storage, state, staging)
      return null
    }
  }
}

async function isOnOneDevice(storage: Storage, one: string, other: string): Promise<boolean> {
  const [a, b] = await storage.stat([one, other])
  return a?.ok === true && b?.ok === true && a.value.device === b.value.device
}
