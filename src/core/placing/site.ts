/** Where a checkpoint is built before it appears: a box of its own that no framework looks into. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

import type { Wait } from '../disposal/patience.js'
import { removeTree } from '../disposal/remove-tree.js'
import { makeInside, neutralName, removeEmpty, stateFolderOf, type StateFolder } from '../state/index.js'
import { readTree } from '../disposal/tree.js'
import { CkptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'

export interface Site {
  /** A folder that only this build uses. */
  readonly box: string
  /** Where the checkpoint is to be built, in the box; nothing is there. */
  readonly building: string
  /** Null when the state folder could not be used. */
  readonly state: StateFolder | null
}

const staging = 'staging'
/** One zero more than what a removal leaves, so that no removal takes a box for its own. */
const boxName = /^\.?[a-z]{16}00$/

/** A box that nobody has written to for so long, in seconds, was left by a ckpt that was killed. */
const staleAfter = 3600

/**
 * In the folder's state folder; where that cannot be made or lies on another file system, a hidden box in `beside`,
 * the folder where the checkpoint will appear. What killed builds left there is taken along.
 */
export async function openSite(storage: Storage, into: string, beside: string, moved?: string): Promise<Site> {
  const state = await stateFolderOf(storage, into, moved)
  const box = await openBoxInState(storage, state, beside)
  const site =
    box === null
      ? { box: await makeBox(storage, beside, '.'), state: null, folder: beside }
      : { box, state, folder: join(state.path, staging) }
  await takeStale(storage, site.folder, site.box)
  return { box: site.box, building: join(site.box, neutralName('building')), state: site.state }
}

/** Removes the box and what is empty above it. */
export async function closeSite(storage: Storage, site: Site, wait: Wait): Promise<void> {
  await removeTree(storage, site.box, wait)
  if (site.state !== null) await removeEmpty(storage, site.state, staging)
}

async function openBoxInState(storage: Storage, state: StateFolder, beside: string): Promise<string | null> {
  for (let tries = 0; ; tries += 1) {
    try {
      const folder = await makeInside(storage, state, staging)
      if (await isOnOneDevice(storage, folder, beside)) return await makeBox(storage, folder, '')
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

async function makeBox(storage: Storage, folder: string, dot: string): Promise<string> {
  const box = join(folder, `${dot}${neutralName(randomUUID())}0`)
  await storage.makeDirectory(box)
  return box
}

/**
 * Ages are measured by the file system's own clock: our box is new. A stale box is renamed into ours before anything
 * in it goes, so should its ckpt be alive after all, that one fails, and never shows half a checkpoint.
 */
async function takeStale(storage: Storage, folder: string, box: string): Promise<void> {
  const now = await newestTime(storage, box)
  const [listing] = await storage.list([folder])
  const names = listing?.ok === true ? listing.value.map((entry) => entry.name) : []
  for (const name of names.filter((one) => boxName.test(one) && join(folder, one) !== box)) {
    const newest = await newestTime(storage, join(folder, name))
    if (now === null || newest === null || now - newest < staleAfter) continue
    try {
      await storage.rename(join(folder, name), join(box, neutralName(name)))
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
    }
  }
}

/** Unix seconds; null when it cannot be told. */
async function newestTime(storage: Storage, path: string): Promise<number | null> {
  try {
    const tree = await readTree(storage, path)
    return tree.reduce((newest, { stat }) => Math.max(newest, stat.modified), 0)
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}
