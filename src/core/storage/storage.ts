/**
 * What core needs of a file system. Reading calls take many paths at once, so that each implementation can be
 * as fast as its medium allows (docs/design.md §2), and answer per path: one failure never hides the rest.
 * Paths are absolute.
 */
import type { CkptError, StorageError } from '../errors.js'

export type EntryKind = 'file' | 'directory' | 'link' | 'other'

/** One name in a directory. A symbolic link is `link`, whatever it leads to. */
export interface DirectoryEntry {
  readonly name: string
  readonly kind: EntryKind
}

export interface Stat {
  readonly kind: EntryKind
  /** Bytes. */
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
  /** The same exactly, and when anything of the file changed last: nanoseconds. */
  readonly modifiedNs: bigint
  readonly changedNs: bigint
  /** Bytes on the medium (holes do not count). */
  readonly allocated: number
  /** Same file when (device, inode) are equal. */
  readonly device: bigint
  readonly inode: bigint
  readonly links: number
  /** Permission bits, 0o000 to 0o7777. */
  readonly mode: number
  /** The number of the user that it belongs to. */
  readonly owner: number
  /** The number of the group that it belongs to. */
  readonly group: number
}

/** A folder's entries, and what each is. */
export interface FolderLook {
  readonly entries: readonly DirectoryEntry[]
  /** One for each entry. */
  readonly looks: Looks
}

/** As `lstat` tells; null of what the listing says is a folder: nobody has looked at it. */
export interface Looks {
  readonly length: number
  at(index: number): Result<Stat> | null | undefined
}

/** What tells one state of a file from another, of many files at once. */
export interface FileStates {
  /** Of each that was answered, in order: device, inode, size in bytes, and when its content and anything of it changed. */
  readonly numbers: BigUint64Array
  /** The latest of these times; 0 of none. All times are nanoseconds since 1970. */
  readonly newest: bigint
  /** The others, by their places among the paths. */
  readonly failed: readonly { readonly index: number; readonly error: StorageError }[]
}

/** Bytes of a file system. */
export interface Space {
  readonly total: number
  /** What a user without privileges may still take. */
  readonly free: number
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: StorageError }

/** An open file. Positions and lengths are bytes. */
export interface ReadHandle {
  readonly path: string
  /** Bytes, as the file was when it was opened. */
  readonly size: number
  /** Its first bytes, where they were read when it was opened. */
  readonly head?: Uint8Array | undefined
  /** Fills `into` from `position` as far as the file reaches; gives the count of bytes read. */
  read(into: Uint8Array, position: number): Promise<number>
  /** What the open file is now, whatever its name has come to lead to. */
  stat(): Promise<Stat>
  close(): Promise<void>
}

/** A file being written. It was created by us: an existing file is never opened for writing. */
export interface WriteHandle {
  readonly path: string
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>
  /** Appends `length` bytes of `source` from `position`, in bounded memory. Fails when the source ends early. */
  copyFrom(source: ReadHandle, position: number, length: number): Promise<void>
  /** Bytes and metadata are on the medium when this returns. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** A part of a file, in bytes. */
export interface Range {
  readonly position: number
  readonly length: number
}

/** A file to be read from its first byte to its last. */
export interface Sweep {
  readonly path: string
  /** Bytes that it must have. */
  readonly size: number
  /** Parts whose CRC-32 (as zip uses it) is wanted: ascending, without overlap, inside of the file. */
  readonly ranges: readonly Range[]
  /** Whether the SHA-256 of the whole file is wanted. */
  readonly sha256: boolean
}

/** What was asked for of one file. */
export interface SweepSums {
  /** One for each range. */
  readonly crcs: readonly number[]
  /** In lower-case hexadecimal digits. */
  readonly sha256: string | null
}

export interface SweepOptions {
  /** About how many bytes it will be, where that is known before the files are: threads can start meanwhile. */
  readonly expected?: number | undefined
  /** Called now and then with how many bytes were read since the last call. */
  readonly onBytes?: ((count: number) => void) | undefined
  /** Ends the work with CkptError `interrupted`. */
  readonly signal?: AbortSignal | undefined
}

/** A copy of ours that is changed in places before it gets its name. */
export interface AmendHandle extends WriteHandle {
  /** What is written next goes there: bytes from the start of the file. */
  moveTo(position: number): void
}

/** Who uses a storage, and how that user hears of what is not believed. */
export interface Custody {
  /** The user's number; null where the system has none. */
  readonly user: number | null
  /** Where this user's programs keep state of their own (XDG Base Directory Specification), absolute; null: nowhere. */
  readonly stateHome: string | null
  /** Called with each text once. */
  readonly warn: (text: string) => void
}

/** The user and the group that a file belongs to, by their numbers. */
export interface Belonging {
  readonly owner: number
  readonly group: number
}

/**
 * A folder below which no call follows a link, even one that somebody puts there meanwhile. What changes a run is `run`: reading
 * calls follow its links as ever, for a checkpoint may be one. What ckpt keeps of its own is `state`, where reading
 * calls follow none either.
 */
export type Guarded = GuardedRun | GuardedState

export interface GuardedRun {
  readonly kind: 'run'
  /** Absolute, as calls name it. */
  readonly path: string
  /** Absolute: the way to something in it that was named by a link. */
  readonly reachedBy?: string | undefined
}

export interface GuardedState extends StateRules {
  readonly kind: 'state'
  /** The outermost folder that ckpt makes, absolute, as calls name it: it may serve several runs. */
  readonly outer: string
  /** The outermost may be a link itself. */
  readonly mayBeLink: boolean
  /** The folder of one run in it, or the outermost itself. */
  readonly path: string
  /** The run that the outermost lies beside, absolute, as it was named: what leads to it leads here. Null where none is. */
  readonly run: string | null
}

/** Whose what ckpt makes becomes, and with which permissions its folders are made. */
export interface Heir extends Belonging {
  readonly mode: number
}

export interface StateRules {
  /** How many folders below one another, from the outermost on, ckpt alone makes; the files in them are its records. */
  readonly levels: number
  /** Those whom these may belong to, by their numbers; null where the system has none. */
  readonly owners: readonly number[] | null
  /** Whom the run's folder is given to when the superuser makes it; null: nobody. */
  readonly heir: Heir | null
}

/** A file or folder, whatever its name is now. */
export interface Identity {
  readonly device: bigint
  readonly inode: bigint
}

/**
 * A folder that is held open: what is done by it is done in this very folder, wherever it has been moved to, and never
 * behind a link that has taken its name. Names are of entries right in it.
 */
export interface FolderHandle {
  /** As it was opened. */
  readonly path: string
  /** A path that leads to this very folder while it is open, for a program that is started in it. */
  readonly way: string
  /** As it was when it was opened. */
  readonly stat: Stat
  list(): Promise<readonly DirectoryEntry[]>
  lstat(name: string): Promise<Stat>
  /** Throws UntrustedError for a link. */
  open(name: string): Promise<FolderHandle>
  unlink(name: string): Promise<void>
  removeDirectory(name: string): Promise<void>
  close(): Promise<void>
}

/** Renames from one folder into another, one after the other: both are held open from the first one on. */
export interface Passage {
  /** As `Storage.move`, of a name in the one folder and one in the other. After a failure both are opened anew. */
  move(name: string, as: string, expected: Identity): Promise<boolean>
  close(): Promise<void>
}

/** What reading needs of a file system. */
export interface ReadStorage {
  /** Who uses it. */
  readonly custody: Custody
  /** From now on, for every call with a path in that folder. Gives why nothing will be changed there, or null. */
  guard(folder: Guarded): CkptError | null
  /** The entries of each directory, in no order. */
  list(directories: readonly string[]): Promise<Result<readonly DirectoryEntry[]>[]>
  /** What each path leads to; links are followed. */
  stat(paths: readonly string[]): Promise<Result<Stat>[]>
  /** What each path is; links are not followed. */
  lstat(paths: readonly string[]): Promise<Result<Stat>[]>
  /** The same in few words, for tens of thousands of files that are only compared. Left out: ask `lstat` (file-states.ts). */
  states?(paths: readonly string[]): Promise<FileStates>
  /** What lies right in each folder, remembered folder by folder. Left out: ask `list` and `lstat` (entries-below.ts). */
  lookInto?(folders: readonly string[]): Promise<Result<FolderLook>[]>
  /** Whole small files. A file of more than `limit` bytes is an error (`EFBIG`), not an allocation. */
  read(paths: readonly string[], limit: number): Promise<Result<Uint8Array>[]>
  /** Whether the system would let each be opened for reading: its errors, without opening anything. */
  mayRead(paths: readonly string[]): Promise<Result<true>[]>
  /** Whether a file's owner may read it wherever its permissions say so, on the file system of that path; left out: no. */
  permissionsDecide?(path: string): boolean
  /** Whether a folder's own times tell of every name that comes or goes in it, likewise. */
  foldersTellChanges?(path: string): boolean
  /** The path with all links resolved. */
  resolve(paths: readonly string[]): Promise<Result<string>[]>
  /**
   * Opens one file for reading at any place. Its first `head` bytes may be read with it, which saves going back and forth
   * where many small files are looked into. Throws StorageError.
   */
  open(path: string, head?: number): Promise<ReadHandle>
  /**
   * Reads every byte of the files that `find` gives once, several files at a time and in bounded memory; gives the
   * checksums that were asked for. A file that ends early is an error (`EIO`). Throws CkptError `interrupted` and what
   * `find` throws.
   */
  sweep(find: () => Promise<readonly Sweep[]>, options?: SweepOptions): Promise<Result<SweepSums>[]>
  /** The file system that each path lies on. */
  space(paths: readonly string[]): Promise<Result<Space>[]>
}

/** Changing calls do one thing each and throw StorageError; a test can stop at any of them. */
export interface WriteStorage {
  /** Creates a new file; `EEXIST` when something is there. Permissions are `mode`, else follow the umask. */
  create(path: string, mode?: number): Promise<WriteHandle>
  /** Adds `bytes` to the end of a file of ckpt's own, which is made when missing: in one write, and on the medium. */
  append(path: string, bytes: Uint8Array): Promise<void>
  /** Creates one directory; `EEXIST` when something is there. The umask narrows `mode` (0o777 when left out). */
  makeDirectory(path: string, mode?: number): Promise<void>
  /** One step; a file that had the new name is gone afterwards. */
  rename(from: string, to: string): Promise<void>
  /**
   * Renames what is `expected` and nothing else: where something else had the name, it gets it back, and `false` is
   * given. Throws StorageError; where something else could not be put back, with where it lies.
   */
  move(from: string, to: string, expected: Identity): Promise<boolean>
  /** From the folder `from` into the folder `to`, to be closed. */
  passage(from: string, to: string): Passage
  /** Holds a folder open. Throws UntrustedError for a link. */
  openFolder(path: string): Promise<FolderHandle>
  /** Removes a name: a file or a link, never what the link leads to. */
  unlink(path: string): Promise<void>
  /** Removes an empty directory. */
  removeDirectory(path: string): Promise<void>
  /** Gives the file a second name; fails where one is there. */
  hardLink(existing: string, path: string): Promise<void>
  /** Makes a link that says `target`; fails where the path is taken. */
  symbolicLink(target: string, path: string): Promise<void>
  /**
   * Copies one file's bytes to a new file, sharing blocks where the file system can (reflink). `signal` ends a long one
   * with CkptError `interrupted`, and nothing is left.
   */
  copyFile(from: string, to: string, signal?: AbortSignal): Promise<void>
  /** The same only if blocks can be shared: else false, and nothing is at `to`. */
  cloneFile(from: string, to: string): Promise<boolean>
  /** Opens a copy that `cloneFile` made here, to change it in places. Never anything else: no file of a user's. */
  amend(path: string): Promise<AmendHandle>
  /** Sets access and modification time, Unix seconds. */
  setTimes(path: string, accessed: number, modified: number): Promise<void>
  /** A closed file's bytes are on the medium when this returns. */
  syncFile(path: string): Promise<void>
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>
}

/** A file system that can be read and changed. */
export interface Storage extends ReadStorage, WriteStorage {}
