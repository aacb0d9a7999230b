/** Putting a whole checkpoint into a folder where a new job will find it. */
import { dirname, join, sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import type { Wait } from '../../storage/retry.js'
import { CkptError, StorageError } from '../../errors.js'
import { guardRun } from '../../changes/disposal/index.js'
import {
  closeStaging,
  makeFolders,
  openStaging,
  linkOrCopyTree,
  refuseTaken,
  removeIfEmpty,
  moveToTarget,
  type LinkKind,
} from '../../changes/publish/index.js'
import type { Storage } from '../../storage/storage.js'

export interface StageOptions {
  readonly link: LinkKind
  readonly wait: Wait
  /** Stands for `<parent of the folder>/.ckpt/<folder's name>`. */
  readonly stateDirectory?: string
  /** Stops between two files; nothing stays. */
  readonly signal?: AbortSignal
  /** As in `linkOrCopyTree`; sources are paths with no link in them. */
  readonly through?: ((source: string) => ((target: string) => Promise<void>) | null) | undefined
  /** Called while files are copied and after each; bytes. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Staged {
  /** Absolute path of the new checkpoint. */
  readonly path: string
  /** Names that were in the folder before, sorted: a job that has already begun has checkpoints of its own there. */
  readonly beside: readonly string[]
}

/**
 * Makes the checkpoint appear in the folder (absolute; made when missing) under its own name, whole and in one step:
 * it is built outside of what a framework scans, made durable, and renamed. Times are kept (frameworks rotate by
 * them), and permissions as far as the umask lets them.
 *
 * Throws CkptError: `refused` when that name is taken, `usage` when a hard link cannot reach the folder's file
 * system, `damaged` when something in the checkpoint is a dangling link or no file, `not-found`, `interrupted`,
 * `system`. Then nothing is left of it.
 */
export async function stage(
  storage: Storage,
  checkpoint: Checkpoint,
  into: string,
  options: StageOptions,
): Promise<Staged> {
  const target = join(into, checkpoint.name)
  const source = await realPath(storage, checkpoint.path)
  if (`${into}${sep}`.startsWith(`${source}${sep}`)) {
    throw new CkptError('usage', `${into}: lies in the checkpoint itself`)
  }
  await refuseTaken(storage, target, takenHint)
  guardRun(storage, dirname(target))
  const made = await makeFolders(storage, dirname(target))
  try {
    const beside = await namesIn(storage, into)
    await buildAtTarget(storage, source, into, target, { ...options, named: checkpoint.path })
    return { path: target, beside }
  } catch (error) {
    for (const folder of made.toReversed()) await removeIfEmpty(storage, folder)
    throw error
  }
}

const takenHint = 'the job in this folder may have begun: name another folder with --into, or move this away'

async function buildAtTarget(
  storage: Storage,
  source: string,
  into: string,
  target: string,
  options: StageOptions & { readonly named: string },
): Promise<void> {
  const staging = await openStaging(storage, into, dirname(target), options.stateDirectory)
  try {
    await linkOrCopyTree(storage, source, staging.building, options)
    await storage.syncDirectory(staging.folder)
    await moveToTarget(storage, staging.building, target, takenHint)
  } finally {
    await closeStaging(storage, staging, options.wait)
  }
}

async function realPath(storage: Storage, path: string): Promise<string> {
  const [resolved] = await storage.resolve([path])
  if (resolved?.ok === true) return resolved.value
  throw resolved?.error ?? new StorageError(path, 'ENOENT', `${path}: nothing there`)
}

async function namesIn(storage: Storage, folder: string): Promise<string[]> {
  const [listing] = await storage.list([folder])
  return listing?.ok === true ? listing.value.map((entry) => entry.name).sort() : []
}
