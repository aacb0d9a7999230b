/** What one run was made of: all that its scan asked of the disk, so that a later look can decide whether the scan would give the same. */
import { createHash, type Hash } from 'node:crypto'
import { isAbsolute, sep } from 'node:path'
import { statesIn } from '../../storage/file-states.js'
import type { DirectoryEntry, FileStates, ReadStorage, Result, Stat } from '../../storage/storage.js'
import { isUnreadable } from '../../errors.js'
import { batches, prefixOf } from './folders.js'
import { ScanTree } from './scan-tree.js'

/** Folders that are listed together: what is known of their files should be gone before the next are looked at. */
const together = 32

/** What was asked for, as plain data. Paths in the run are relative to it, all others absolute. */
export interface ReadsOfRun {
  /** Folders of its checkpoints that were listed, and everything in them but folders was looked at. */
  readonly whole: readonly AlikeFolders[]
  /** Of these the times tell whether they still have the same names: none is listed again. */
  readonly areTold: boolean
  /** Folders of its checkpoints that were listed. */
  readonly listed: readonly string[]
  /** Likewise the run itself, and what lies in none of its checkpoints: those are listed by the walk too. */
  readonly above: readonly string[]
  /** What was looked at besides, without and with following a link; and links that were resolved. */
  readonly looked: readonly string[]
  readonly followed: readonly string[]
  readonly resolved: readonly string[]
}

/** Folders in which the same was looked at: those of checkpoints mostly have the same names in them. */
export interface AlikeFolders {
  readonly folders: readonly string[]
  /** Names in each. */
  readonly files: readonly string[]
}

export interface Fingerprint {
  /** Equal where all listings, looks and links are equal. */
  readonly sum: string
  /** Nanoseconds since 1970: when anything that was looked at changed last. */
  readonly newest: bigint
}

/**
 * Null where something was asked for that no look at names and files can answer, or could not be answered. `taken` are
 * the paths in the run that are its checkpoints'.
 */
export async function readsOf(tree: ScanTree, run: string, taken: ReadonlySet<string>): Promise<ReadsOfRun | null> {
  const { asked } = tree
  if (asked === null) return null
  const prefix = prefixOf(run)
  const short = (path: string): string => (path.startsWith(prefix) ? path.slice(prefix.length) : path)
  const isTaken = (path: string): boolean => {
    const end = path.indexOf(sep, prefix.length)
    return path.startsWith(prefix) && taken.has(end === -1 ? path : path.slice(0, end))
  }
  const looked = new Set(asked.looked)
  const [inside, above] = parted([...asked.listed], isTaken)
  const listings = await tree.list(inside)
  const alike = new Map<string, { folders: string[]; files: readonly string[] }>()
  const [whole, listed] = parted(inside, (folder, index) => {
    const listing = listings[index]
    if (listing?.ok !== true) return false
    const names = listing.value.filter(({ kind }) => kind !== 'directory').map(({ name }) => name)
    const files = pathsIn(folder, names)
    if (!files.every((path) => asked.looked.has(path))) return false
    for (const path of files) looked.delete(path)
    const key = names.join('\0')
    const group = alike.get(key) ?? { folders: [], files: names }
    alike.set(key, group)
    group.folders.push(short(folder))
    return true
  })
  const areTold = await areToldByTimes(tree, run, whole)
  const followed = await leadElsewhere(tree, asked.looked, [...asked.followed])
  const absent = await absentAmong(tree, [...asked.looked])
  const isThere = (path: string): boolean => !absent.some((one) => path.startsWith(one))
  // Asked last: what the tree does not know any more it would have asked of the disk anew.
  if (!asked.isAnswered) return null
  return {
    whole: [...alike.values()],
    areTold,
    listed: listed.map(short),
    above: [...new Set([run, ...above.filter(isThere)])],
    looked: [...looked].filter(isThere).map(short),
    followed: followed.filter(isThere).map(short),
    resolved: [...asked.resolved].filter(isThere).map(short),
  }
}

/**
 * Folders of their own, and no links to such, on the run's own file system, where that can be relied upon. One that changed
 * after it was listed is too young to be remembered.
 */
async function areToldByTimes(tree: ScanTree, run: string, folders: readonly string[]): Promise<boolean> {
  if (folders.length === 0 || !tree.foldersTellChanges(run)) return false
  const [own, ...looks] = await tree.lstat([run, ...folders])
  return looks.every(
    (look) => look.ok && look.value.kind === 'directory' && own?.ok === true && look.value.device === own.value.device,
  )
}

/** What is not there, as paths of all below it begin: of `.ckpt` the look at itself says it of all that might be in it. */
async function absentAmong(tree: ScanTree, looked: readonly string[]): Promise<string[]> {
  const looks = await tree.lstat(looked)
  return looked.filter((_, index) => looks[index]?.ok === false).map(prefixOf)
}

/** Those for which it is true, and the others. */
function parted(paths: readonly string[], isFirst: (path: string, index: number) => boolean): [string[], string[]] {
  const parts: [string[], string[]] = [[], []]
  for (const [index, path] of paths.entries()) parts[isFirst(path, index) ? 0 : 1].push(path)
  return parts
}

/** Of what is no link both looks tell the same. */
async function leadElsewhere(
  tree: ScanTree,
  looked: ReadonlySet<string>,
  followed: readonly string[],
): Promise<string[]> {
  const both = followed.filter((path) => looked.has(path))
  const looks = await tree.lstat(both)
  const plain = new Set(parted(both, (_, index) => isPlain(looks[index]))[0])
  return followed.filter((path) => !plain.has(path))
}

function isPlain(look: Result<Stat> | undefined): boolean {
  return look?.ok === true && look.value.kind !== 'link'
}

/**
 * What they come to now; null where something cannot be answered. What the walk knows is taken from the tree, and so is
 * all else where `isScanned`: then it is the answers that the scan had.
 */
export async function fingerprintOf(
  tree: ScanTree,
  run: string,
  reads: ReadsOfRun,
  isScanned: boolean,
): Promise<Fingerprint | null> {
  const disk = isScanned ? tree : ScanTree.lookingAgain(tree)
  if (reads.areTold && disk.foldersTellChanges?.(run) !== true) return null
  const sums = new Sums()
  const prefix = prefixOf(run)
  const full = (path: string): string => (isAbsolute(path) ? path : prefix + path)
  for (const { folders, files } of reads.whole) {
    for (const batch of batches(folders.map(full), together)) {
      if (reads.areTold) {
        sums.states(await statesAt(disk, batch))
        sums.states(
          await statesAt(
            disk,
            batch.flatMap((folder) => pathsIn(folder, files)),
          ),
        )
        continue
      }
      const listings = await disk.list(batch)
      sums.listings(listings)
      const found = listings.flatMap((listing, index) => (listing.ok ? filesIn(batch[index] ?? '', listing.value) : []))
      sums.states(await statesAt(disk, found))
    }
  }
  sums.listings(await disk.list(reads.listed.map(full)))
  sums.listings(await tree.list(reads.above))
  sums.states(await statesAt(disk, reads.looked.map(full)))
  sums.states(statesIn(await disk.stat(reads.followed.map(full))))
  sums.links(await disk.resolve(reads.resolved.map(full)))
  return sums.result()
}

function filesIn(folder: string, entries: readonly DirectoryEntry[]): string[] {
  return pathsIn(
    folder,
    entries.filter(({ kind }) => kind !== 'directory').map(({ name }) => name),
  )
}

function pathsIn(folder: string, names: readonly string[]): string[] {
  const prefix = prefixOf(folder)
  return names.map((name) => prefix + name)
}

async function statesAt(storage: ReadStorage, paths: readonly string[]): Promise<FileStates> {
  return (await storage.states?.(paths)) ?? statesIn(await storage.lstat(paths))
}

/** By listing, which folders side by side may share. */
const texts = new WeakMap<readonly DirectoryEntry[], string>()

function textOf(entries: readonly DirectoryEntry[]): string {
  let text = texts.get(entries)
  if (text === undefined) texts.set(entries, (text = entries.map(({ name, kind }) => `${kind}/${name}\0`).join('')))
  return text
}

class Sums {
  private readonly hash: Hash = createHash('sha256')
  private newest = 0n
  private isAnswered = true

  listings(listings: readonly Result<readonly DirectoryEntry[]>[]): void {
    let text = `${listings.length}\n`
    for (const listing of listings) {
      text += listing.ok ? textOf(listing.value) : this.failed(listing.error.errno)
      text += '\n'
    }
    this.hash.update(text)
  }

  states({ numbers, newest, failed }: FileStates): void {
    let text = `${numbers.length}\n`
    for (const { index, error } of failed) text += `${index} ${this.failed(error.errno)}\n`
    this.hash.update(text)
    this.hash.update(numbers)
    if (newest > this.newest) this.newest = newest
  }

  links(links: readonly Result<string>[]): void {
    this.hash.update(links.map((link) => (link.ok ? link.value : this.failed(link.error.errno))).join('\0'))
  }

  private failed(errno: string): string {
    if (isUnreadable(errno)) this.isAnswered = false
    return errno
  }

  result(): Fingerprint | null {
    return this.isAnswered ? { sum: this.hash.digest('hex'), newest: this.newest } : null
  }
}
