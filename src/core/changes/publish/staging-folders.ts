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

/** Where staging folders lie: in `staging/` of the state folder, else hidden beside what is built, for frameworks look there. */
export interface StagingParent {
  readonly path: string
  readonly isHidden: boolean
}

export function stagingOf(state: StateFolder): StagingParent {
  return { path: join(state.path, staging), isHidden: false }
}

export function besideIn(path: string): StagingParent {
  return { path, isHidden: true }
}

/** One zero more than what a removal leaves, so that no removal takes a staging folder for its own. */
const stagingName = /^(\.?)[a-z]{16}00$/

/** Seconds. A staging folder that nobody has written to for longer was left by a ckpt that was killed. */
const staleAfter = 3600

/** A staging folder that only its maker uses, and nobody else looks into. Throws StorageError. */
export async function makeStagingFolder(storage: Storage, { path, isHidden }: StagingParent): Promise<string> {
  const own = join(path, `${isHidden ? '.' : ''}${neutralName(randomUUID())}0`)
  await storage.makeDirectory(own, 0o700)
  return own
}

/**
 * Renames stale staging folders into `own`, which goes with all that is in it: should the ckpt of one be alive
 * after all, it fails, and never shows half a checkpoint. Ages are measured by the file system's own clock: `own` is
 * new. Gives what was taken; what cannot be, stays.
 */
export async function takeStale(storage: Storage, parent: StagingParent, own: string): Promise<string[]> {
  const taken: string[] = []
  const now = await newestTime(storage, own)
  for (const old of await stagingFoldersIn(storage, parent)) {
    if (old === own) continue
    const newest = await newestTime(storage, old)
    if (now === null || newest === null || now - newest < staleAfter) continue
    const inside = join(own, neutralName(old))
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
 * the run lie in, where the state folder could not be used. Changes nothing where there is none; where no staging
 * folder can be made, all stays. An empty `staging/` goes too.
 */
export async function clearStaging(
  storage: Storage,
  state: StateFolder,
  besides: readonly string[],
  wait: Wait,
): Promise<Finished> {
  const parents = [stagingOf(state), ...[...new Set(besides)].map(besideIn)]
  const cleared: Finished[] = []
  for (const parent of parents) {
    if ((await stagingFoldersIn(storage, parent)).length > 0) cleared.push(await clear(storage, parent, wait))
  }
  const [left] = await storage.list([join(state.path, staging)])
  if (left?.ok === true) await removeEmpty(storage, state, staging)
  return { ...addFinished(cleared), leftovers: cleared.flatMap(({ leftovers }) => leftovers) }
}

async function clear(storage: Storage, parent: StagingParent, wait: Wait): Promise<Finished> {
  try {
    const own = await makeStagingFolder(storage, parent)
    const stale = await takeStale(storage, parent, own)
    const finished = await finishLeftovers(storage, stale, wait, undefined)
    await quietly(() => storage.removeDirectory(own))
    return finished
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    return { count: 0, freedBytes: 0, leftovers: [] }
  }
}

async function stagingFoldersIn(storage: Storage, { path, isHidden }: StagingParent): Promise<string[]> {
  const [listing] = await storage.list([path])
  if (listing?.ok !== true) return []
  return listing.value
    .filter(({ name, kind }) => kind === 'directory' && stagingName.exec(name)?.[1] === (isHidden ? '.' : ''))
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
