/** The staging folders that checkpoints are built in, and the removal of those that a killed process left behind. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { addFinished, finishLeftovers, type Finished } from '../disposal/leftovers.js'
import type { Wait } from '../../storage/retry.js'
import { readTree } from '../../storage/entries-below.js'
import { CkptError } from '../../errors.js'
import { neutralName, quietly, removeEmpty, type StateFolder } from '../state/index.js'
import type { Storage } from '../../storage/storage.js'

/** In the state folder. */
export const staging = 'staging'

/** Where boxes lie: in `staging/` of the state folder, else beside what is built, where frameworks look: hidden. */
export interface StagingPlace {
  readonly path: string
  readonly isHidden: boolean
}

export function stagingOf(state: StateFolder): StagingPlace {
  return { path: join(state.path, staging), isHidden: false }
}

export function besideIn(path: string): StagingPlace {
  return { path, isHidden: true }
}

/** One zero more than what a removal leaves, so that no removal takes a box for its own. */
const boxName = /^(\.?)[a-z]{16}00$/

/** A box that nobody has written to for so long, in seconds, was left by a ckpt that was killed. */
const staleAfter = 3600

/** A box that only its maker uses, and nobody else looks into. Throws StorageError. */
export async function makeStagingFolder(storage: Storage, { path, isHidden }: StagingPlace): Promise<string> {
  const box = join(path, `${isHidden ? '.' : ''}${neutralName(randomUUID())}0`)
  await storage.makeDirectory(box, 0o700)
  return box
}

/**
 * Renames stale boxes of the folder into `box`, which goes with all that is in it: should the ckpt of one be alive
 * after all, it fails, and never shows half a checkpoint. Ages are measured by the file system's own clock: `box` is
 * new. Gives what was taken; what cannot be, stays.
 */
export async function takeStale(storage: Storage, folder: StagingPlace, box: string): Promise<string[]> {
  const taken: string[] = []
  const now = await newestTime(storage, box)
  for (const old of await stagingFoldersIn(storage, folder)) {
    if (old === box) continue
    const newest = await newestTime(storage, old)
    if (now === null || newest === null || now - newest < staleAfter) continue
    const inside = join(box, neutralName(old))
    try {
      await storage.rename(old, inside)
      taken.push(inside)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
    }
  }
  return taken
}

/**
 * Removes what killed builds left an hour ago: in the state folder, and in `besides`, the folders that checkpoints of
 * the run lie in, where the state folder could not be used. Changes nothing where there is none; where no box can be
 * made, all stays. An empty `staging/` goes too.
 */
export async function clearStaging(
  storage: Storage,
  state: StateFolder,
  besides: readonly string[],
  wait: Wait,
): Promise<Finished> {
  const folders = [stagingOf(state), ...[...new Set(besides)].map(besideIn)]
  const cleared: Finished[] = []
  for (const folder of folders) {
    if ((await stagingFoldersIn(storage, folder)).length > 0) cleared.push(await clear(storage, folder, wait))
  }
  const [left] = await storage.list([join(state.path, staging)])
  if (left?.ok === true) await removeEmpty(storage, state, staging)
  return { ...addFinished(cleared), leftovers: cleared.flatMap(({ leftovers }) => leftovers) }
}

async function clear(storage: Storage, folder: StagingPlace, wait: Wait): Promise<Finished> {
  try {
    const box = await makeStagingFolder(storage, folder)
    const stale = await takeStale(storage, folder, box)
    const finished = await finishLeftovers(storage, stale, wait, undefined)
    await quietly(() => storage.removeDirectory(box))
    return finished
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    return { count: 0, freedBytes: 0, leftovers: [] }
  }
}

async function stagingFoldersIn(storage: Storage, { path, isHidden }: StagingPlace): Promise<string[]> {
  const [listing] = await storage.list([path])
  if (listing?.ok !== true) return []
  return listing.value
    .filter(({ name, kind }) => kind === 'directory' && boxName.exec(name)?.[1] === (isHidden ? '.' : ''))
    .map(({ name }) => join(path, name))
}

/** Unix seconds; null when it is unknown. */
async function newestTime(storage: Storage, path: string): Promise<number | null> {
  try {
    const tree = await readTree(storage, path)
    return tree.reduce((newest, { stat }) => Math.max(newest, stat.modified), 0)
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}
