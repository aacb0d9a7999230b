/** A folder that appears under its name whole, or not at all. */
import { dirname, join } from 'node:path'
import { removeTree } from '../disposal/remove-tree.js'
import { CkptError, StorageError } from '../../errors.js'
import { neutralName } from '../state/index.js'
import type { Wait } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'
import { guardRun } from '../disposal/guard-run.js'
import { makeFolders, removeIfEmpty } from './folders.js'
import { linkOrCopyTree } from './link-or-copy-tree.js'
import { moveToTarget } from './publish.js'
import { besideIn, makeStagingFolder, takeStale } from './staging-folders.js'
import { syncTree } from './sync-tree.js'

export interface FolderOptions {
  readonly wait: Wait
  /** A folder that is there and not empty is added to: what it holds stays, but for what `build` takes out. */
  readonly adds: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * What `build` makes in the folder that it is given gets the name `target` (absolute; folders above it are made): in one
 * step where nothing, or an empty folder, has that name. One that holds something is refused without `adds`; with it
 * `build` finds there what it holds, as hard links, and the new folder takes its place in two steps. Throws CkptError
 * `refused`, StorageError and what `build` throws; then what was there is there still, and nothing else.
 */
export async function publishFolder<T>(
  storage: Storage,
  target: string,
  build: (building: string) => Promise<T>,
  options: FolderOptions,
): Promise<T> {
  const isFull = await ensureCanPublishFolder(storage, target, options.adds)
  const beside = dirname(target)
  guardRun(storage, beside)
  const made = await makeFolders(storage, beside)
  try {
    return await inStagingFolder(storage, beside, options.wait, async (staging) => {
      const building = join(staging, neutralName('building'))
      if (isFull) {
        const { wait, signal } = options
        const how = { link: 'hard', wait, ...(signal === undefined ? {} : { signal }) } as const
        await linkOrCopyTree(storage, target, building, how)
      } else await storage.makeDirectory(building)
      const result = await build(building)
      await syncTree(storage, building)
      await takeName(storage, building, target, join(staging, neutralName('earlier')))
      return result
    })
  } catch (error) {
    for (const folder of made.toReversed()) await removeIfEmpty(storage, folder)
    throw error
  }
}

/** True for a folder that holds something. Throws CkptError `refused` for that without `adds`, and for what is not a folder. */
export async function ensureCanPublishFolder(storage: Storage, target: string, adds: boolean): Promise<boolean> {
  const [there] = await storage.lstat([target])
  if (there?.ok !== true) {
    if (there !== undefined && there.error.code !== 'not-found') throw there.error
    return false
  }
  if (there.value.kind !== 'directory') {
    throw new CkptError('refused', `${target}: is not a folder, and is never replaced`, { hint: 'name another folder' })
  }
  const [listed] = await storage.list([target])
  if (listed?.ok !== true) throw listed?.error ?? new StorageError(target, 'ENOENT', `${target}: nothing there`)
  if (listed.value.length > 0 && !adds) throw notEmpty(target, listed.value.length)
  return listed.value.length > 0
}

function notEmpty(target: string, count: number, cause?: unknown): CkptError {
  return new CkptError('refused', `${target}: holds something already (${count} entries), and was left as it is`, {
    hint: 'name another folder; with --force the new files take the places of those of the same names',
    cause,
  })
}

async function inStagingFolder<T>(
  storage: Storage,
  beside: string,
  wait: Wait,
  use: (staging: string) => Promise<T>,
): Promise<T> {
  const folder = besideIn(beside)
  const staging = await makeStagingFolder(storage, folder)
  try {
    await takeStale(storage, folder, staging)
    return await use(staging)
  } finally {
    await removeTree(storage, staging, wait)
  }
}

async function takeName(storage: Storage, building: string, target: string, earlier: string): Promise<void> {
  const [there] = await storage.lstat([target])
  if (there?.ok !== true) return moveToTarget(storage, building, target, 'name another folder')
  try {
    // Replaces an empty folder, and fails for one that holds something.
    await storage.rename(building, target)
  } catch (error) {
    if (!(error instanceof StorageError) || !fullCodes.has(error.errno)) throw error
    await exchange(storage, building, target, earlier)
  }
  await storage.syncDirectory(dirname(target))
}

const fullCodes = new Set(['ENOTEMPTY', 'EEXIST'])

async function exchange(storage: Storage, building: string, target: string, earlier: string): Promise<void> {
  await storage.rename(target, earlier)
  try {
    await storage.rename(building, target)
  } catch (error) {
    await storage.rename(earlier, target)
    throw error
  }
}
