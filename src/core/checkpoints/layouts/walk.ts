/** All runs at and below a folder, one after the other: each folder is listed once, however many readers ask for it. */
import { dirname, sep } from 'node:path'
import { CkptError, reasonOf } from '../../errors.js'
import type { Checkpoint, Run } from '../../checkpoint.js'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import type { DirectoryEntry, EntryKind, ReadStorage } from '../../storage/storage.js'
import { batches, compareText, foldersOfKernel, foldersOfTools, onFileSystemOf, prefixOf } from './folders.js'
import { ignoreFilesAbove } from './ignore-above.js'
import { ignoreFault, IgnoreRules, ignoreFile } from './ignore-rules.js'
import type { ScanMemory } from '../../storage/memory/scan-memory.js'
import type { Folder } from './layout.js'
import { holdsNoRun } from './folders-without-runs.js'
import { isRestartRun } from './own-restarts.js'
import { isDownloadCache } from './download-caches.js'
import { holdsNone, scanFolder } from './scan.js'
import { ScanTree } from './scan-tree.js'

export interface WalkOptions {
  /** Goes on below a folder where another file system is mounted. */
  readonly crossFileSystems?: boolean | undefined
  /** Patterns as in a `.gitignore` at the root: what they match is not looked at. */
  readonly exclude?: readonly string[] | undefined
  /** Called for each folder that cannot be listed: its path, and the system's reason. */
  readonly onUnreadable?: ((path: string, reason: string) => void) | undefined
  /** Called now and then with how far the walk is. */
  readonly onProgress?: ((count: WalkCount) => void) | undefined
  /**
   * The storage of the runs goes on remembering what was listed in them: for those who go on with the runs when the walk
   * is over.
   */
  readonly keepsListings?: boolean | undefined
  /**
   * Runs may be changed by what comes of it: below a `.ckptignore` that cannot be read nothing is looked at, for it may
   * leave out what is there.
   */
  readonly isChanging?: boolean | undefined
  /** What earlier walks have read; left out: every file is read. */
  readonly memory?: ScanMemory | undefined
  /** What an earlier walk found: this one looks only at what may be other than it was then. */
  readonly earlier?: EarlierWalk | undefined
  /** What was made of runs before; left out: every run is scanned. */
  readonly answers?: RunAnswers | undefined
  /** Ends the walk with CkptError `interrupted`. */
  readonly signal?: AbortSignal | undefined
}

export interface EarlierWalk {
  /** By path, runs that are as they were: they are given again as they are here, and not scanned. */
  readonly runs: ReadonlyMap<string, Run>
  /** True for a folder that is not looked into, nor anything below it. Never asked of the root. */
  readonly passesBy: (folder: string) => boolean
}

/** Who remembers what was made of runs, and is content with that where a run is as it was. */
export interface RunAnswers {
  /**
   * Null for a folder that must be scanned. `rules` is what is said of what to leave out there; the entries of the
   * folder are those left.
   */
  recall(tree: ScanTree, folder: Folder, rules: string): Promise<RecalledRun | null>
  /** After a folder that was not recalled turned out to have no checkpoints. */
  keepNone(folder: Folder): Promise<void>
}

/** What the walk must know of a run that it does not scan, and does not tell of. */
export interface RecalledRun {
  readonly count: number
  /** Ids, each once. */
  readonly layouts: readonly string[]
  /** Paths of the folders in it that may lead to further runs, sorted. */
  readonly inside: readonly string[]
}

export interface WalkCount {
  readonly folders: number
  readonly runs: number
  readonly checkpoints: number
}

export interface WalkedRun {
  readonly run: Run
  /** What the walk has read already: reading the run through this lists no folder again. */
  readonly storage: ReadStorage
}

const nothingIn: RecalledRun = { count: 0, layouts: [], inside: [] }

/** No experiment nests this deep; links are not followed, so nothing is endless. */
const deepest = 64
/** Folders after which signals are let through. */
const betweenYields = 64
/** Folders that are listed together. */
const together = 256

/**
 * The outermost checkpoints of each folder make it a run; nothing inside of a checkpoint is taken for one, and
 * symbolic links are not followed. Runs come folder by folder, what is above first. The root is listed already.
 */
export async function* walkRuns(
  storage: ReadStorage,
  root: Folder,
  options: WalkOptions = {},
): AsyncGenerator<WalkedRun> {
  const walk = new Walk(storage, root.path, options)
  const rules = await walk.rulesAbove(IgnoreRules.at(root.path, options.exclude ?? []))
  if (rules !== null) yield* walk.below({ listed: root, outer: rules, depth: 0 }, null)
}

/** A folder that is listed, the rules of those above it, and how far below the root it lies. */
interface Place {
  readonly listed: Folder
  readonly outer: IgnoreRules
  readonly depth: number
  /** Where it was scanned, and is asked again. */
  readonly checkpoints?: readonly Checkpoint[]
}

class Walk {
  private readonly tree: ScanTree
  /** Folders whose listings stay. */
  private readonly kept = new Set<string>()
  private folders = 0
  private runs = 0
  private checkpoints = 0

  constructor(
    storage: ReadStorage,
    private readonly root: string,
    private readonly options: WalkOptions,
  ) {
    this.tree = new ScanTree(storage, options.memory ?? null)
  }

  /** With those of files above the root, which was named: they leave out what lies in it, not the root. Null as of `rulesIn`. */
  async rulesAbove(typed: IgnoreRules): Promise<IgnoreRules | null> {
    let rules = typed
    for (const { folder, path, kind } of await ignoreFilesAbove(this.tree, this.root)) {
      const text = await this.readIgnoreFile(path, kind)
      if (text !== null) rules = rules.with(folder, text)
      else if (this.options.isChanging === true) return null
    }
    return rules
  }

  /** `later` takes what is a run only where no other one lies beside it (own-restarts.ts); null where none does. */
  async *below(place: Place, later: Place[] | null): AsyncGenerator<WalkedRun> {
    const { listed, outer, depth } = place
    const before = this.runs
    if (this.folders % betweenYields === 0) await yieldToEvents()
    this.stopIfAsked()
    this.folders += 1
    const rules = await this.rulesIn(listed, outer)
    if (rules === null) return
    const folder = { path: listed.path, entries: rules.without(listed) }
    this.tree.remember(folder.path, folder.entries)
    const isKnown = place.checkpoints !== undefined || this.options.earlier?.runs.has(folder.path) === true
    const scanned = !isKnown && holdsNone(folder) ? nothingIn : yield* this.recallOrScan(folder, rules, place, later)
    if (scanned === null) return
    const { count, layouts, inside } = scanned
    this.runs += count > 0 ? 1 : 0
    this.checkpoints += count
    this.options.onProgress?.({ folders: this.folders, runs: this.runs, checkpoints: this.checkpoints })
    this.tree.forgetFiles()
    if (depth === deepest) return
    const restarts: Place[] = []
    const further = inside.filter((path) => this.options.earlier?.passesBy(path) !== true)
    for (const batch of batches(further, together)) {
      for (const one of await this.list(batch)) {
        if (holdsNoRun({ folder: one, beside: folder.entries }, layouts) || isDownloadCache(one)) continue
        yield* this.below({ listed: one, outer: rules, depth: depth + 1 }, restarts)
      }
    }
    if (this.runs === before) for (const one of restarts) yield* this.below(one, null)
    this.tree.forget(further.filter((path) => !this.kept.has(path)))
  }

  /** Null as of a scan. */
  private async *recallOrScan(
    folder: Folder,
    rules: IgnoreRules,
    place: Place,
    later: Place[] | null,
  ): AsyncGenerator<WalkedRun, RecalledRun | null> {
    const recalled = await this.options.answers?.recall(this.tree, folder, rules.text)
    return recalled ?? (yield* this.scan(folder, place, later))
  }

  /** Null for a run that may be none: it is put into `later`. */
  private async *scan(
    folder: Folder,
    place: Place,
    later: Place[] | null,
  ): AsyncGenerator<WalkedRun, RecalledRun | null> {
    await this.options.memory?.enter(folder.path)
    const earlier = this.options.earlier?.runs.get(folder.path)
    const checkpoints = earlier?.checkpoints ?? place.checkpoints ?? (await scanFolder(this.tree, folder))
    if (later !== null && isRestartRun({ checkpoints })) {
      await this.options.memory?.leave()
      // What remembers has to see what is read for it, and gives it from memory.
      const { memory, answers } = this.options
      later.push(memory === undefined && answers === undefined ? { ...place, checkpoints } : place)
      return null
    }
    if (checkpoints.length > 0) {
      this.keepListing(folder.path)
      yield { run: earlier ?? { path: folder.path, checkpoints }, storage: this.tree }
    } else await this.options.answers?.keepNone(folder)
    await this.options.memory?.leave()
    if (this.options.keepsListings !== true) this.tree.forgetWithin(takenBy(folder.path, checkpoints))
    return { count: checkpoints.length, layouts: layoutsOf(checkpoints), inside: insideOf(folder, checkpoints) }
  }

  /** Of the run and of the folders above it, which may tell what it was started with. */
  private keepListing(run: string): void {
    if (this.options.keepsListings !== true) return
    for (let path = run; path.length >= this.root.length && !this.kept.has(path); path = dirname(path)) {
      this.kept.add(path)
    }
  }

  /**
   * What lies in the folder is asked for by the rules above it, and by its own. Null where those cannot be read, and
   * what they leave out must not be touched.
   */
  private async rulesIn({ path, entries }: Folder, outer: IgnoreRules): Promise<IgnoreRules | null> {
    const entry = entries.find(({ name }) => name === ignoreFile)
    if (entry === undefined) return outer
    const text = await this.readIgnoreFile(prefixOf(path) + ignoreFile, entry.kind)
    if (text !== null) return outer.with(path, text)
    return this.options.isChanging === true ? null : outer
  }

  /** Null where it cannot be read, which is reported. */
  private async readIgnoreFile(path: string, kind: EntryKind): Promise<string | null> {
    if (kind !== 'file') {
      this.options.onUnreadable?.(path, 'is not a regular file')
      return null
    }
    const [bytes] = await this.tree.read([path], largestIgnoreFile)
    if (bytes?.ok === true) {
      const text = new TextDecoder().decode(bytes.value)
      const fault = ignoreFault(text)
      if (fault === undefined) return text
      this.options.onUnreadable?.(path, fault)
    }
    if (bytes?.ok === false) {
      if (bytes.error.code === 'not-found') return ''
      this.options.onUnreadable?.(path, reasonOf(bytes.error))
    }
    return null
  }

  /** Those that can be listed; one that is not there any more is nothing to tell of. */
  private async list(paths: readonly string[]): Promise<Folder[]> {
    const own = this.options.crossFileSystems === true ? paths : await onFileSystemOf(this.tree, this.root, paths)
    const listings = await this.tree.list(own)
    return own.flatMap((path, index): Folder[] => {
      const listing = listings[index]
      if (listing?.ok === true) return [{ path, entries: listing.value }]
      if (listing?.error.code === 'system') this.options.onUnreadable?.(path, reasonOf(listing.error))
      return []
    })
  }

  private stopIfAsked(): void {
    if (this.options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while looking for runs')
  }
}

/** Bytes. People write these by hand. */
const largestIgnoreFile = 1 << 20

/**
 * What lies in a run and belongs to a checkpoint: itself, or a folder that is a part of its name (`val/acc=0.9.ckpt`) or
 * holds one of its files.
 */
export function takenBy(run: string, checkpoints: Run['checkpoints']): ReadonlySet<string> {
  const prefix = prefixOf(run)
  const taken = new Set<string>()
  for (const { name, kind, members } of checkpoints) {
    taken.add(prefix + firstPartOf(name))
    if (kind === 'group') for (const { path } of members) taken.add(prefix + firstPartOf(path.slice(prefix.length)))
  }
  return taken
}

function firstPartOf(name: string): string {
  return name.slice(0, (name.indexOf('/') + 1 || name.length + 1) - 1)
}

/** Ids, each once. */
export function layoutsOf(checkpoints: Run['checkpoints']): readonly string[] {
  return [...new Set(checkpoints.map(({ layout }) => layout))]
}

/** Paths of the folders in a run that are no part of its checkpoints, and may lead to further runs, sorted. */
export function insideOf(folder: Folder, checkpoints: Run['checkpoints']): string[] {
  const taken = takenBy(folder.path, checkpoints)
  return foldersIn(folder).filter((path) => !taken.has(path))
}

/** Paths of the folders in it that may lead to a run, sorted. */
export function foldersIn({ path, entries }: Folder): string[] {
  const names = entries.filter(isWorthALook).map(({ name }) => name)
  const paths = names.sort(compareText).map((name) => prefixOf(path) + name)
  return path === sep ? paths.filter((one) => !foldersOfKernel.has(one)) : paths
}

function isWorthALook({ name, kind }: DirectoryEntry): boolean {
  return kind === 'directory' && !name.startsWith('.') && !foldersOfTools.has(name)
}
