/**
 * The folders of one scan, each listed once for all who ask: the search for runs, the layouts, and what looks into the
 * checkpoints' folders. Short-lived: what changes on disk meanwhile is seen by the next scan.
 */
import { sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { UnpackingBudget } from '../../formats/compression/unpacking-budget.js'
import type { ScanMemory } from '../../storage/memory/scan-memory.js'
import { lookThere, pathBelow } from '../../storage/entries-below.js'
import { packed } from '../../storage/packed-looks.js'
import type { DirectoryEntry, FolderLook, ReadHandle, ReadStorage, Result, Stat } from '../../storage/storage.js'
import { isUnreadable } from '../../errors.js'
import { FileFacts, type FileAnswers } from './file-facts.js'
import type { Folder } from './layout.js'
import { RememberingHandle } from './remembering-handle.js'
import { KeptContents, ScannedFiles } from './scanned-files.js'

/** Entries remembered at most; a scan of more lists a folder again rather than fill the memory. */
const mostEntries = 2_000_000
/** Looks at names remembered at most, likewise: each takes half a kilobyte. */
const mostLooks = 200_000
/** The same of those that are remembered by their folder, which takes half of that. */
const mostLooksInFolders = 600_000

/** Folders whose checkpoints are remembered: a run is looked for, and then opened. */
const mostScanned = 1000

interface Scanned {
  readonly entries: Folder['entries']
  readonly by: readonly unknown[]
  readonly found: readonly Checkpoint[]
}

/** The paths that were asked about, from some moment on. */
export class AskedOfTree {
  readonly listed = new Set<string>()
  /** Without and with following a link. */
  readonly looked = new Set<string>()
  readonly followed = new Set<string>()
  readonly resolved = new Set<string>()
  /** False: something was asked that the tree does not know, or not any more. */
  isAnswered = true
}

/** What a scan has asked for. */
class Known {
  readonly listings = new Map<string, Result<readonly DirectoryEntry[]>>()
  readonly stats = new Map<string, Result<Stat>>()
  readonly lstats = new Map<string, Result<Stat>>()
  /** By folder: what is in it was looked at together. */
  readonly looks = new Map<string, Result<FolderLook>>()
  looksInFolders = 0
  readonly resolved = new Map<string, Result<string>>()
  /** Files above the folders that are scanned. */
  readonly above = new KeptContents()
  readonly scanned = new Map<string, Scanned>()
  entries = 0
  asked: AskedOfTree | null = null
  readonly unpacking = UnpackingBudget.forPickles()

  /** What is forgotten cannot be answered again. */
  clear(answers: Map<string, unknown>): void {
    answers.clear()
    this.notAnswered()
  }

  notAnswered(): void {
    if (this.asked !== null) this.asked.isAnswered = false
  }
}

export class ScanTree implements ReadStorage {
  readonly custody: ReadStorage['custody']

  /** `memory` knows what earlier scans have read of files. */
  constructor(
    private readonly storage: ReadStorage,
    private readonly memory: ScanMemory | null = null,
    private readonly known = new Known(),
    private readonly remembersFiles = true,
    private readonly files: ScannedFiles | null = null,
  ) {
    const { custody } = storage
    // A warning comes again with the next look, which therefore has to be a scan.
    const warn = (text: string): void => {
      known.notAnswered()
      custody.warn(text)
    }
    this.custody = { ...custody, warn }
  }

  /**
   * For those who judge the bytes of files: the same listings, but every byte comes from the file itself. Any other
   * storage is given back.
   */
  static readingFiles(storage: ReadStorage): ReadStorage {
    return storage instanceof ScanTree && storage.memory !== null
      ? new ScanTree(storage.storage, null, storage.known)
      : storage
  }

  /** For those who look a second time: what is on the disk now. */
  static lookingAgain(storage: ReadStorage): ReadStorage {
    if (!(storage instanceof ScanTree)) return storage
    storage.known.notAnswered()
    return storage.storage
  }

  /** For those who look at tens of thousands of files, and at each but once: the same listings. */
  static lookingOnce(storage: ReadStorage): ReadStorage {
    return storage instanceof ScanTree ? new ScanTree(storage.storage, storage.memory, storage.known, false) : storage
  }

  /** For the layouts that are asked about that folder: each file is read and opened once for all of them. */
  static scanning(storage: ReadStorage, folder: string): ReadStorage {
    return storage instanceof ScanTree
      ? new ScanTree(
          storage.storage,
          storage.memory,
          storage.known,
          storage.remembersFiles,
          new ScannedFiles(folder, storage.known.above),
        )
      : storage
  }

  /** What readers have found out about the file as it is now; null where nothing is remembered, or it is none. */
  static async factsOf(storage: ReadStorage, path: string): Promise<FileAnswers | null> {
    if (!(storage instanceof ScanTree)) return null
    const earlier = await storage.earlierFacts(path)
    return storage.files === null ? earlier : storage.files.answersAbout(path, earlier)
  }

  /** What may be unpacked of all files that the scan looks into. */
  static unpackingOf(storage: ReadStorage): UnpackingBudget {
    return storage instanceof ScanTree ? storage.known.unpacking : UnpackingBudget.forPickles()
  }

  private async earlierFacts(path: string): Promise<FileFacts | null> {
    if (this.memory === null) {
      this.known.notAnswered()
      return null
    }
    const [stat] = await this.stat([path])
    return stat?.ok === true && stat.value.kind === 'file' ? new FileFacts(path, stat.value, this.memory) : null
  }

  /** From now on it is noted what is asked; or no longer. */
  noteAsked(isNoting: boolean): void {
    this.known.asked = isNoting ? new AskedOfTree() : null
  }

  get asked(): AskedOfTree | null {
    return this.known.asked
  }

  /** The same tree where there is one already. */
  static over(storage: ReadStorage): ScanTree {
    return storage instanceof ScanTree ? storage : new ScanTree(storage)
  }

  /** What `scan` finds in the folder with these entries; `by` is what else its answer goes by. */
  async scannedOnce(
    { path, entries }: Folder,
    by: readonly unknown[],
    scan: () => Promise<readonly Checkpoint[]>,
  ): Promise<readonly Checkpoint[]> {
    const { scanned, asked } = this.known
    const known = scanned.get(path)
    const isSame = known?.entries === entries && known.by.every((one, at) => one === by[at])
    // Whoever notes what is asked wants to see it asked.
    if (known !== undefined && isSame && asked === null) return known.found
    const found = await scan()
    if (scanned.size >= mostScanned) scanned.clear()
    scanned.set(path, { entries, by, found })
    return found
  }

  async list(directories: readonly string[]): Promise<Result<readonly DirectoryEntry[]>[]> {
    note(this.known.asked?.listed, directories)
    return remembered(this.known.listings, directories, async (missing) => {
      const listed = await this.storage.list(missing)
      for (const one of listed) this.known.entries += one.ok ? one.value.length + 1 : 1
      if (this.known.entries > mostEntries) {
        this.known.clear(this.known.listings)
        this.known.entries = 0
      }
      return listed
    })
  }

  async stat(paths: readonly string[]): Promise<Result<Stat>[]> {
    note(this.known.asked?.followed, paths)
    if (this.known.stats.size > mostLooks) this.known.clear(this.known.stats)
    return remembered(this.known.stats, paths, (missing) => this.storage.stat(missing))
  }

  async lstat(paths: readonly string[]): Promise<Result<Stat>[]> {
    if (!this.remembersFiles) this.known.notAnswered()
    if (!this.remembersFiles) return this.storage.lstat(paths)
    note(this.known.asked?.looked, paths)
    if (this.known.lstats.size > mostLooks) this.known.clear(this.known.lstats)
    return remembered(this.known.lstats, paths, (missing) => this.lstatUnlooked(missing))
  }

  /** Of what was looked at with its folder nothing is asked again. */
  private async lstatUnlooked(paths: readonly string[]): Promise<Result<Stat>[]> {
    if (this.known.looks.size === 0) return this.storage.lstat(paths)
    const looked = paths.map((path) => this.lookedAt(path))
    const rest = paths.filter((_, index) => looked[index] === null)
    const asked = (rest.length === 0 ? [] : await this.storage.lstat(rest)).values()
    return looked.flatMap((look) => look ?? asked.next().value ?? [])
  }

  private lookedAt(path: string): Result<Stat> | null {
    const end = path.lastIndexOf(sep)
    const folder = this.known.looks.get(path.slice(0, end))
    if (folder?.ok !== true) return null
    const name = path.slice(end + 1)
    const index = folder.value.entries.findIndex((entry) => entry.name === name)
    return index === -1 ? null : (folder.value.looks.at(index) ?? null)
  }

  async lookInto(folders: readonly string[]): Promise<Result<FolderLook>[]> {
    const { known } = this
    if (!this.remembersFiles) return lookThere(this, folders, await this.list(folders))
    const looks = await remembered(known.looks, folders, async (missing) => {
      if (known.looksInFolders > mostLooksInFolders) {
        known.clear(known.looks)
        known.looksInFolders = 0
      }
      const fresh = packed(await lookThere(this.lookingFresh, missing, await this.list(missing)))
      for (const one of fresh) known.looksInFolders += one.ok ? one.value.looks.length : 0
      return fresh
    })
    if (known.asked !== null) for (const [index, look] of looks.entries()) this.noteLook(folders[index] ?? '', look)
    return looks
  }

  /** What single names were asked for before is not asked again. */
  private readonly lookingFresh: Pick<ReadStorage, 'lstat'> = {
    lstat: async (paths) => {
      const { lstats } = this.known
      if (lstats.size === 0) return this.storage.lstat(paths)
      const looked = paths.map((path) => lstats.get(path))
      const rest = paths.filter((_, index) => looked[index] === undefined)
      const asked = (rest.length === 0 ? [] : await this.storage.lstat(rest)).values()
      return looked.flatMap((look) => look ?? asked.next().value ?? [])
    },
  }

  private noteLook(folder: string, look: Result<FolderLook>): void {
    note(this.known.asked?.listed, [folder])
    if (!look.ok) return
    const files = look.value.entries.filter(({ kind }) => kind !== 'directory')
    note(
      this.known.asked?.looked,
      files.map(({ name }) => pathBelow(folder, name)),
    )
  }

  async resolve(paths: readonly string[]): Promise<Result<string>[]> {
    note(this.known.asked?.resolved, paths)
    return remembered(this.known.resolved, paths, (missing) => this.storage.resolve(missing))
  }

  /** What somebody has listed already, or only wants seen in part. */
  remember(path: string, entries: readonly DirectoryEntry[]): void {
    this.known.listings.set(path, { ok: true, value: entries })
  }

  /** These folders are not asked for any more. */
  forget(paths: Iterable<string>): void {
    for (const path of paths) {
      this.known.listings.delete(path)
      this.known.looks.delete(path)
    }
  }

  /** What was learnt of single files: no two runs share them. */
  forgetFiles(): void {
    this.known.stats.clear()
    this.known.lstats.clear()
    this.known.looks.clear()
    this.known.looksInFolders = 0
    this.known.resolved.clear()
    this.known.scanned.clear()
  }

  /** The same of all listings in these. */
  forgetWithin(taken: ReadonlySet<string>): void {
    if (taken.size === 0) return
    this.forget([...this.known.listings.keys()].filter((path) => isWithin(path, taken)))
  }

  async read(paths: readonly string[], limit: number): Promise<Result<Uint8Array>[]> {
    const { memory } = this
    if (memory === null) this.known.notAnswered()
    // Asked for also where the content is known: what a scan has read is known by the files that it looked at.
    const stats = memory === null ? [] : await this.stat(paths)
    const recalled = paths.map((path, index) => this.recall(path, stats[index], limit))
    const missing = paths.filter((_, index) => recalled[index] === null)
    const read = missing.length === 0 ? [] : await this.storage.read(missing, limit)
    let next = 0
    return paths.flatMap((path, index) => {
      const known = recalled[index] ?? null
      if (known !== null) return [{ ok: true as const, value: known }]
      const answer = read[next++]
      if (answer?.ok === false && isUnreadable(answer.error.errno)) this.known.notAnswered()
      if (answer?.ok === true) this.keepContent(path, stats[index], answer.value)
      return answer ?? []
    })
  }

  /** The whole file by what this scan or an earlier one has read; null where it must be read. */
  private recall(path: string, stat: Result<Stat> | undefined, limit: number): Uint8Array | null {
    const { memory } = this
    const known = memory !== null && stat?.ok === true && stat.value.size <= limit ? stat.value : null
    const recalled = known === null ? null : (memory?.whole(path, known) ?? null)
    if (recalled !== null) return recalled
    const scanned = this.files?.content(path, limit) ?? null
    // Read for a neighbour of this folder: what is remembered of this one has to have it, too.
    if (scanned !== null && scanned.length === known?.size) memory?.keep(path, known, 0, scanned)
    return scanned
  }

  private keepContent(path: string, stat: Result<Stat> | undefined, bytes: Uint8Array): void {
    this.files?.keepContent(path, bytes)
    // One that grew or shrank since it was looked at is another file.
    if (stat?.ok === true && stat.value.size === bytes.length) this.memory?.keep(path, stat.value, 0, bytes)
  }

  open(path: string, head?: number): Promise<ReadHandle> {
    if (this.memory !== null) return this.openRemembering(path, this.memory)
    this.known.notAnswered()
    return this.storage.open(path, head)
  }

  private async openRemembering(path: string, memory: ScanMemory): Promise<ReadHandle> {
    const [stat] = await this.stat([path])
    if (stat?.ok !== true || stat.value.kind !== 'file') return this.storage.open(path)
    return new RememberingHandle(path, stat.value, memory, () => this.storage.open(path))
  }

  /** Whose the folders of a state are decides what is believed of it. */
  readonly guard: ReadStorage['guard'] = (folder) => {
    if (folder.kind === 'state') note(this.known.asked?.looked, [folder.outer, folder.path])
    return this.storage.guard(folder)
  }
  readonly sweep: ReadStorage['sweep'] = (find, options) => {
    this.known.notAnswered()
    return this.storage.sweep(find, options)
  }
  readonly mayRead: ReadStorage['mayRead'] = (paths) => {
    this.known.notAnswered()
    return this.storage.mayRead(paths)
  }
  permissionsDecide(path: string): boolean {
    return this.storage.permissionsDecide?.(path) === true
  }
  foldersTellChanges(path: string): boolean {
    return this.storage.foldersTellChanges?.(path) === true
  }
  readonly space: ReadStorage['space'] = (paths) => {
    this.known.notAnswered()
    return this.storage.space(paths)
  }
}

function note(asked: Set<string> | undefined, paths: readonly string[]): void {
  if (asked !== undefined) for (const path of paths) asked.add(path)
}

/** One call for all that is not known yet. */
async function remembered<T>(
  known: Map<string, Result<T>>,
  paths: readonly string[],
  ask: (missing: readonly string[]) => Promise<Result<T>[]>,
): Promise<Result<T>[]> {
  const answers: (Result<T> | undefined)[] = []
  const missing: string[] = []
  for (const path of paths) {
    const answer = known.get(path)
    answers.push(answer)
    if (answer === undefined) missing.push(path)
  }
  const asked = missing.length === 0 ? [] : await ask(missing)
  for (let at = 0; at < asked.length; at += 1) {
    const [path, answer] = [missing[at], asked[at]]
    if (path !== undefined && answer !== undefined) known.set(path, answer)
  }
  if (missing.length === paths.length) return asked
  let next = 0
  return answers.flatMap((answer) => answer ?? asked[next++] ?? [])
}

function isWithin(path: string, folders: ReadonlySet<string>): boolean {
  if (folders.has(path)) return true
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (folders.has(path.slice(0, end))) return true
  }
  return false
}
