/** Deletes what lies in the trash for good. */
import { basename, dirname, join } from 'node:path'
import {
  deleting,
  findLeftovers,
  fingerprintOf,
  finishLeftovers,
  guardRun,
  holdsPending,
  leftoversOf,
  makePrivateFolder,
  putBackGroups,
  removeTree,
  type RemovalLeftover,
  type Wait,
} from '../disposal/index.js'
import { CkptError } from '../../errors.js'
import {
  makeInside,
  quietly,
  readTrash,
  removeEmpty,
  trash,
  trashRecordPath,
  unlinkIfThere,
  type StateFolder,
  type TrashEntry,
} from '../state/index.js'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import type { Storage } from '../../storage/storage.js'

export interface EmptyOptions {
  readonly wait: Wait
  /** Stops before the next entry. */
  readonly signal?: AbortSignal | undefined
}

export interface Emptied {
  readonly removed: readonly TrashEntry[]
  /** These lie in the trash as before, and why. */
  readonly failed: readonly { readonly entry: TrashEntry; readonly error: CkptError }[]
  /** Bytes that the medium got back from `removed`. */
  readonly freedBytes: number
  readonly leftovers: readonly RemovalLeftover[]
  /** What earlier, interrupted removals had left behind and this one finished. */
  readonly finished: { readonly count: number; readonly freedBytes: number }
}

/**
 * Removes these entries of the run's trash for good. Under the run's lock only. Each first leaves the trash by one
 * rename, so that what a kill leaves half removed is never offered for restoring. Goes on past what fails. Records of
 * which nothing is there go too, and what interrupted removals left.
 */
export async function emptyTrash(
  storage: Storage,
  run: string,
  state: StateFolder,
  entries: readonly TrashEntry[],
  { wait, signal }: EmptyOptions,
): Promise<Emptied> {
  guardRun(storage, run)
  const pending = await putBackGroups(storage, run, state)
  const found = await findLeftovers(storage, [join(state.path, deleting), run])
  const earlier = found.filter((path) => !holdsPending(path, pending))
  const removed: TrashEntry[] = []
  const failed: Emptied['failed'][number][] = []
  const leftovers: RemovalLeftover[] = []
  let freedBytes = 0
  for (const entry of entries) {
    await yieldToEvents()
    try {
      if (signal?.aborted === true) throw new CkptError('interrupted', `${entry.name}: interrupted before its turn`)
      const print = await fingerprintOf(storage, entry.path)
      if (!print.ok) throw print.error
      const privateFolder = await makePrivateFolder(storage, await makeInside(storage, state, deleting))
      const at = await takeOut(storage, privateFolder, entry)
      const removal = await removeTree(storage, at, wait, print.value)
      await quietly(() => storage.removeDirectory(privateFolder))
      freedBytes += removal.freedBytes
      leftovers.push(...leftoversOf(removal))
      removed.push(entry)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      failed.push({ entry, error })
    }
  }
  const finished = await finishLeftovers(storage, earlier, wait, signal)
  await tidyTrash(storage, state)
  await removeEmpty(storage, state, deleting, trash)
  return {
    removed,
    failed,
    freedBytes,
    leftovers: [...leftovers, ...finished.leftovers],
    finished: { count: finished.count, freedBytes: finished.freedBytes },
  }
}

async function takeOut(storage: Storage, privateFolder: string, entry: TrashEntry): Promise<string> {
  const at = join(privateFolder, basename(entry.path))
  if (!(await storage.move(entry.path, at, entry.identity))) {
    throw new CkptError('refused', `${entry.name}: what lies in the trash was replaced meanwhile`, {
      hint: 'try again',
    })
  }
  try {
    await storage.syncDirectory(privateFolder)
    await storage.syncDirectory(dirname(privateFolder))
    await storage.syncDirectory(dirname(entry.path))
  } catch (error) {
    await storage.rename(at, entry.path)
    throw error
  }
  await unlinkIfThere(storage, trashRecordPath(entry.path))
  return at
}

/** Removes records of which nothing is there: a kill between record and rename left them. Never fails. */
export async function tidyTrash(storage: Storage, state: StateFolder): Promise<void> {
  await quietly(async () => {
    const { orphans } = await readTrash(storage, state)
    for (const path of orphans) await unlinkIfThere(storage, path)
  })
  await removeEmpty(storage, state, trash)
}
