/** What an interrupted removal left behind, and finishing it. */
import { basename, join } from 'node:path'
import { CkptError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import { isNeutralName } from '../state/index.js'
import type { Wait } from '../../storage/retry.js'
import { removeTree, type TreeRemoval } from './remove-tree.js'
import { deleting } from './take-away.js'

/** Bytes of a checkpoint that has left its name, which are still on the medium; the next removal finishes them. */
export interface RemovalLeftover {
  readonly path: string
  readonly error: CkptError
}

/** What stayed of one tree. */
export function leftoversOf(removal: TreeRemoval): RemovalLeftover[] {
  return removal.failures.map((error) => ({ path: error.path, error }))
}

export function interrupted(at: string): CkptError {
  return new CkptError('interrupted', `${at}: stopped before its bytes were removed`, {
    hint: 'the next prune removes them',
  })
}

export interface Finished {
  readonly count: number
  readonly freedBytes: number
  readonly leftovers: readonly RemovalLeftover[]
}

/** Their sums. */
export function addFinished(parts: readonly Pick<Finished, 'count' | 'freedBytes'>[]) {
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    freedBytes: parts.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
  }
}

/** Removes what `findLeftovers` found; goes on past what fails. */
export async function finishLeftovers(
  storage: Storage,
  paths: readonly string[],
  wait: Wait,
  signal: AbortSignal | undefined,
): Promise<Finished> {
  const leftovers: RemovalLeftover[] = []
  let count = 0
  let freedBytes = 0
  for (const path of paths) {
    await yieldToEvents()
    if (signal?.aborted === true) {
      leftovers.push({ path, error: interrupted(path) })
      continue
    }
    const removal = await removeTree(storage, path, wait)
    freedBytes += removal.freedBytes
    if (removal.failures.length === 0) count += 1
    leftovers.push(...leftoversOf(removal))
  }
  return { count, freedBytes, leftovers }
}

/**
 * What waits for its bytes to go: in a folder named `deleting` every neutral name, elsewhere (beside checkpoints,
 * where the state folder could not be used) only a hidden one. What another user is removing is that one's: nobody
 * else can enter it.
 */
export async function findLeftovers(storage: Storage, folders: readonly string[]): Promise<string[]> {
  const distinct = [...new Set(folders)]
  const listings = await storage.list(distinct)
  const found = distinct.flatMap((folder, index) => {
    const listing = listings[index]
    if (listing?.ok !== true) return []
    const inState = basename(folder) === deleting
    return listing.value
      .map((entry) => entry.name)
      .filter((name) => isNeutralName(name) && (inState || name.startsWith('.')))
      .map((name) => join(folder, name))
  })
  const { user } = storage.custody
  if (user === null || user === 0) return found
  const stats = await storage.lstat(found)
  return found.filter((_, index) => {
    const stat = stats[index]
    return stat?.ok !== true || stat.value.owner === user || (stat.value.mode & 0o077) !== 0
  })
}
