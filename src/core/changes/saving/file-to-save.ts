/** One file of a new checkpoint: where its bytes come from, and bringing them into place, durably. */
import { CkptError, StorageError } from '../../errors.js'
import { withFile } from '../../storage/file-source.js'
import { copyWatched, type CopyWatch } from '../../storage/copy-watched.js'
import { syncTree } from '../publish/index.js'
import type { Stat, Storage } from '../../storage/storage.js'

/** One file of a new checkpoint, and where it comes from. */
export type FileToSave =
  | {
      /** A file that is there. */
      readonly kind: 'path'
      /** Absolute. */
      readonly path: string
      /** Makes the file of the checkpoint from it; it is copied, linked or moved when left out. */
      readonly through?: Through
    }
  | {
      /** Bytes as they come. */
      readonly kind: 'bytes'
      /** Read once. */
      readonly bytes: AsyncIterable<Uint8Array>
      /** Names them in messages. */
      readonly title: string
      /** Makes the file of the checkpoint from what they come to. */
      readonly through?: Through
    }
  | {
      /** What somebody else writes: a file, or a folder. */
      readonly kind: 'written'
      /** Makes it at the path that it gets, where nothing is yet. */
      readonly write: (path: string) => Promise<void>
    }

/** Makes the file at `target`, synced, of the one at `source`: both absolute, and nothing is at the target. */
export type Through = (source: string, target: string, signal?: AbortSignal) => Promise<void>

/**
 * How a file gets into the checkpoint. `hard`: as a second name of the same bytes. `move`: its own name goes, once
 * the checkpoint is there; until then it is there too, so a kill loses nothing.
 */
export type Placement = 'copy' | 'hard' | 'move'

/** What is to lose its own name once the checkpoint is there. */
export interface Moved {
  readonly path: string
  readonly stat: Stat
}

/** What a file was before it was read. Throws CkptError `not-found`, `usage`, `refused`, `system`. */
export async function inspectFile(storage: Storage, path: string): Promise<Stat> {
  const [stat] = await storage.stat([path])
  if (stat?.ok !== true) throw stat?.error ?? new StorageError(path, 'ENOENT', `${path}: nothing there`)
  if (stat.value.kind !== 'file') {
    const what = stat.value.kind === 'directory' ? 'is a folder' : 'is not a regular file'
    throw new CkptError('usage', `${path} ${what}, and cannot be saved`, {
      hint: stat.value.kind === 'directory' ? 'name its files one by one' : 'pipe it in: --file KEY=-',
    })
  }
  if (stat.value.size === 0) throw empty(path)
  return stat.value
}

export interface FilePlacing {
  readonly placement: Placement
  /** Makes the file from the one that is given. */
  readonly through?: ((source: string, target: string) => Promise<void>) | undefined
  readonly watch: CopyWatch
}

/** Puts the file at `target`, synced. Throws CkptError; `refused` when it changes meanwhile. */
export async function putFile(
  storage: Storage,
  { path, stat }: Moved,
  target: string,
  { placement, through, watch }: FilePlacing,
): Promise<void> {
  if (through !== undefined) await through(path, target)
  else if (placement === 'copy' || !(await linked(storage, path, target, placement)))
    await copyWatched(storage, path, target, stat.size, watch)
  await storage.syncFile(target)
  const [after] = await storage.stat([path])
  if (after?.ok === true && isSame(stat, after.value)) return
  throw new CkptError('refused', `${path}: changed while it was saved`, { hint: 'save it again once it is written' })
}

export function isSame(before: Stat, after: Stat): boolean {
  return (
    before.device === after.device &&
    before.inode === after.inode &&
    before.size === after.size &&
    before.modified === after.modified
  )
}

/** File systems' ways of saying that there is no hard link to this file. */
const unlinkable = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** False where a move has to copy: on another file system, where there are no hard links, and for symbolic links. */
async function linked(storage: Storage, path: string, target: string, placement: Placement): Promise<boolean> {
  const [resolved] = await storage.resolve([path])
  const [itself] = await storage.lstat([path])
  if (resolved?.ok !== true) throw resolved?.error ?? new StorageError(path, 'ENOENT', `${path}: nothing there`)
  if (placement === 'move' && itself?.ok === true && itself.value.kind === 'link') return false
  // A second name only of what may be read by the first.
  await withFile(storage, path, async () => Promise.resolve())
  try {
    await storage.hardLink(resolved.value, target)
    return true
  } catch (error) {
    if (!(error instanceof StorageError) || !unlinkable.has(error.errno)) throw error
    if (placement === 'move') return false
    const why = error.errno === 'EXDEV' ? 'it lies on another file system than the run' : error.errno
    throw new CkptError('usage', `${path}: no hard link can be made to it: ${why}`, {
      hint: 'use --move, or leave --link out to copy it',
      cause: error,
    })
  }
}

/** Writes the bytes to a new file at `target`, synced. */
export async function writeBytes(
  storage: Storage,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  target: string,
): Promise<number> {
  const handle = await storage.create(target)
  let size = 0
  try {
    for await (const chunk of bytes) {
      await handle.write(chunk)
      size += chunk.length
    }
    await handle.sync()
  } catch (error) {
    await closeQuietly(handle)
    throw error
  }
  await handle.close()
  return size
}

/** The error that is under way says more. */
async function closeQuietly(handle: { close(): Promise<void> }): Promise<void> {
  try {
    await handle.close()
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
  }
}

/** Makes durable what a hook made at `path`. Throws CkptError `usage` when that is nothing. */
export async function syncWritten(storage: Storage, path: string, key: string): Promise<void> {
  const [there] = await storage.lstat([path])
  if (there?.ok !== true) {
    throw new CkptError('usage', `${key}: its save hook made nothing at the path that it was given`, {
      hint: 'a save hook writes the file itself, and ends (or its promise does) when it is written',
    })
  }
  await syncTree(storage, path)
}

export function empty(title: string): CkptError {
  return new CkptError('refused', `${title}: 0 bytes; a checkpoint with such a file counts as damaged`, {
    hint: 'did what should have written it fail? nothing was saved',
  })
}
