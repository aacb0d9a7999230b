/**
 * Records that explain what a checkpoint lacks, and cannot be read or are not believed: nothing may be removed as damaged
 * for that. Each has a file name that follows from its checkpoint's, so that it is known whose it is without reading it.
 */
import { basename, join } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { demoted, readDemotions } from './demotions.js'
import { readKnownElsewhere } from './elsewhere.js'
import { moving, readGroupMoves } from './group-moves.js'
import { otherFolder } from './pins.js'
import { recordPath } from './record-folder.js'
import { otherStatesOf, type StateFolder } from './state-folder.js'

interface Records {
  readonly folder: string
  /** Of the checkpoints that a record explains. */
  readonly read: readonly string[]
  readonly isTrusted: boolean
}

/**
 * By the checkpoint's name, in which folder a record of its demotion, or of its files' moving, is that explains nothing
 * because it cannot be read or the folder is not trusted. Throws CkptError `refused` where nobody knows what is there.
 */
export async function unreadRecordsOf(
  storage: ReadStorage,
  run: string,
  state: StateFolder,
  names: readonly string[],
): Promise<ReadonlyMap<string, Pick<Records, 'folder' | 'isTrusted'>>> {
  const { distrusted } = await otherStatesOf(storage, run, state)
  const known = await readKnownElsewhere(storage, state, (other) => Promise.resolve(other))
  const found = new Map<string, Pick<Records, 'folder' | 'isTrusted'>>()
  for (const folder of [state, ...known.map(({ other }) => other)]) {
    for (const records of await trustedRecords(storage, folder)) await addUnread(records)
  }
  for (const kind of distrusted === null ? [] : [demoted, moving]) {
    await addUnread({ folder: join(distrusted?.path ?? '', kind), read: [], isTrusted: false })
  }
  return found

  async function addUnread({ folder, read, isTrusted }: Records): Promise<void> {
    const files = await filesIn(storage, folder, !isTrusted && state.moved !== undefined)
    if (files.size === 0) return
    const explained = new Set(read)
    for (const name of names) {
      const isThere = files.has(basename(recordPath(folder, name)))
      if (isThere && !explained.has(name)) found.set(name, { folder, isTrusted })
    }
  }
}

/** Throws CkptError `refused`. */
async function trustedRecords(storage: ReadStorage, state: StateFolder): Promise<Records[]> {
  try {
    const moves = await readGroupMoves(storage, state)
    return [
      { folder: join(state.path, demoted), read: [...(await readDemotions(storage, state)).keys()], isTrusted: true },
      { folder: join(state.path, moving), read: moves.map(({ name }) => name), isTrusted: true },
    ]
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    throw unknownRecords(state.path, error)
  }
}

/** `isLenient`: another folder was named, and anybody may have put there what cannot be read. Throws CkptError `refused`. */
async function filesIn(storage: ReadStorage, folder: string, isLenient: boolean): Promise<ReadonlySet<string>> {
  const [listing] = await storage.list([folder])
  if (listing?.ok === true) return new Set(listing.value.map(({ name }) => name))
  if (listing !== undefined && listing.error.code !== 'not-found' && !isLenient) {
    throw unknownRecords(folder, listing.error)
  }
  return new Set()
}

/** What looks damaged may be demoted. */
function unknownRecords(path: string, error: StorageError): CkptError {
  return new CkptError('refused', `what is demoted by the records in ${path} cannot be read: ${error.message}`, {
    hint: otherFolder.replace('no pin in it counts', 'no record in it counts'),
    cause: error,
  })
}
