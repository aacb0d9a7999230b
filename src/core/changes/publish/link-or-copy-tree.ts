/** One checkpoint's files, linked or copied to a new place. */
import { dirname, join, relative, sep } from 'node:path'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import { changeBetween, fingerprintOf } from '../disposal/fingerprint.js'
import { readTree, type TreeEntry } from '../../storage/entries-below.js'
import { CkptError, StorageError } from '../../errors.js'
import { copyWatched, type CopyWatch } from '../../storage/copy-watched.js'
import { withFile } from '../../storage/file-source.js'
import type { Wait } from '../../storage/retry.js'
import type { Stat, Storage } from '../../storage/storage.js'

/**
 * `hard`: every file is a second name of the same bytes, as `cp -al` makes them; frameworks write a checkpoint once
 * and never again. `symbolic`: real folders, in which each file is a link to the absolute path of the original, so
 * that removing the new one cannot reach the old. `copy`: bytes of its own, shared by the file system where it can.
 */
export type LinkKind = 'hard' | 'symbolic' | 'copy'

export interface LinkOrCopyOptions {
  readonly link: LinkKind
  readonly wait: Wait
  /** Stops between two files. */
  readonly signal?: AbortSignal
  /** Called while files are linked or copied and after each; bytes. */
  readonly onProgress?: (done: number, total: number) => void
  /** Absolute: the path by which `source` was named, links and all. Files are read by it: a link lends nobody our rights. */
  readonly named?: string | undefined
  /** What makes a file at `target`, synced, in place of a link or a copy of `source`; null for a file as it is. */
  readonly through?: ((source: string) => ((target: string) => Promise<void>) | null) | undefined
}

/**
 * Builds `source` (absolute, no link in it) again at `target`, where nothing is: times and permissions kept, durable
 * when it returns. A link in it that leads within it stays such a link; one to a file elsewhere becomes what `link`
 * says, and one to a folder elsewhere stays a link, to its absolute path.
 */
export async function linkOrCopyTree(
  storage: Storage,
  source: string,
  target: string,
  options: LinkOrCopyOptions,
): Promise<void> {
  const before = await fingerprintOf(storage, source)
  if (!before.ok) throw before.error
  const tree = await readTree(storage, source)
  const total = tree.reduce((sum, entry) => sum + bytesOf(entry), 0)
  let done = 0
  for (const entry of tree) {
    await yieldToEvents()
    if (options.signal?.aborted === true) throw new CkptError('interrupted', `${source}: stopped; nothing was staged`)
    const make = entry.stat.kind === 'directory' ? null : (options.through?.(entry.path) ?? null)
    const watch: CopyWatch = {
      wait: options.wait,
      onBytes: (count) => options.onProgress?.(done + count, total),
      signal: options.signal,
    }
    const read = at(options.named ?? source, entry)
    if (make === null)
      await linkOrCopyEntry(storage, source, entry, at(target, entry), { link: options.link, read, watch })
    else await make(at(target, entry))
    done += bytesOf(entry)
    if (entry.stat.kind !== 'directory') options.onProgress?.(done, total)
  }
  await finishFolders(storage, tree, target)
  const after = await fingerprintOf(storage, source)
  if (!after.ok) throw after.error
  const change = changeBetween(before.value, after.value)
  if (change !== null)
    throw new CkptError('refused', `${source}: changed while it was read: ${change}`, {
      hint: 'try again once it is saved',
    })
}

function bytesOf({ stat }: TreeEntry): number {
  return stat.kind === 'file' ? stat.size : 0
}

function at(target: string, entry: TreeEntry): string {
  return entry.name === '' ? target : join(target, entry.name)
}

/** Once all is in them: every new entry changes a folder's time. */
async function finishFolders(storage: Storage, tree: readonly TreeEntry[], target: string): Promise<void> {
  for (const entry of tree.filter((one) => one.stat.kind === 'directory').toReversed()) {
    await storage.setTimes(at(target, entry), entry.stat.modified, entry.stat.modified)
    await storage.syncDirectory(at(target, entry))
  }
}

interface Making {
  readonly link: LinkKind
  /** The path by which the file is read. */
  readonly read: string
  readonly watch: CopyWatch
}

async function linkOrCopyEntry(
  storage: Storage,
  source: string,
  entry: TreeEntry,
  target: string,
  how: Making,
): Promise<void> {
  switch (entry.stat.kind) {
    case 'directory':
      // Without the owner's bits nothing could be put into it.
      return storage.makeDirectory(target, entry.stat.mode | 0o700)
    case 'file':
      return linkOrCopyFile(storage, entry.path, entry.stat, target, how)
    case 'link':
      return copyLink(storage, source, entry, target, how)
    case 'other':
      throw new CkptError('damaged', `${entry.path}: neither file, folder nor link, so it cannot be staged`)
  }
}

async function linkOrCopyFile(
  storage: Storage,
  from: string,
  stat: Stat,
  to: string,
  { link, read, watch }: Making,
): Promise<void> {
  if (link === 'symbolic') return storage.symbolicLink(from, to)
  if (link === 'hard') return hardLinkOfRead(storage, read, from, to)
  await copyWatched(storage, read, to, stat.size, watch)
  await storage.setTimes(to, stat.modified, stat.modified)
  await storage.syncFile(to)
}

async function copyLink(
  storage: Storage,
  source: string,
  entry: TreeEntry,
  target: string,
  how: Making,
): Promise<void> {
  const [resolved] = await storage.resolve([entry.path])
  if (resolved?.ok !== true) throw dangling(entry.path, resolved?.error)
  const real = resolved.value
  if (real === source || real.startsWith(`${source}${sep}`)) {
    return storage.symbolicLink(relative(dirname(entry.path), real) || '.', target)
  }
  const [stat] = await storage.stat([real])
  if (stat?.ok !== true) throw dangling(entry.path, stat?.error)
  if (stat.value.kind === 'directory') return storage.symbolicLink(real, target)
  return linkOrCopyFile(storage, real, stat.value, target, how)
}

/** A second name only of what may be read by the path that was named: nothing tells a second name from the first. */
async function hardLinkOfRead(storage: Storage, read: string, from: string, to: string): Promise<void> {
  const seen = await withFile(storage, read, (handle) => handle.stat())
  await hardLink(storage, from, to)
  const [made] = await storage.lstat([to])
  if (made?.ok === true && made.value.inode === seen.inode && made.value.device === seen.device) return
  await storage.unlink(to)
  throw new CkptError('refused', `${from}: another file took its place while it was linked`, { hint: 'try again' })
}

export async function hardLink(storage: Storage, from: string, to: string): Promise<void> {
  try {
    await storage.hardLink(from, to)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (error.errno === 'EXDEV') {
      throw new CkptError('usage', `${from}: on another file system than the folder, where no hard link can reach`, {
        hint: 'use --link copy, or --link symbolic',
        cause: error,
      })
    }
    if (!unlinkable.has(error.errno)) throw error
    throw new StorageError(from, error.errno, `${from}: no hard link can be made to it (${error.errno})`, {
      hint: 'use --link copy, or --link symbolic',
      cause: error,
    })
  }
}

/** No hard links on this file system, or not to this file (another owner's, or too many names). */
const unlinkable = new Set(['EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

function dangling(path: string, cause: unknown): CkptError {
  return new CkptError('damaged', `${path}: a link that leads nowhere`, { cause })
}
