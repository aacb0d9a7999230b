/**
 * The folders of one scan, each listed once, whoever asks: the search for runs, the layouts, and what looks into the
 * checkpoints' folders. Short-lived: what changes on disk meanwhile is seen by the next scan.
 */
import type { DirectoryEntry, ReadStorage, Result, Stat } from '../../storage/storage.js'

/** Entries remembered at most; a scan of more lists a folder again rather than fill the memory. */
const mostEntries = 2_000_000

export class ScanTree implements ReadStorage {
  private readonly listings = new Map<string, Result<readonly DirectoryEntry[]>>()
  private readonly stats = new Map<string, Result<Stat>>()
  private readonly resolved = new Map<string, Result<string>>()
  private entries = 0

  readonly custody: ReadStorage['custody']

  constructor(private readonly storage: ReadStorage) {
    this.custody = storage.custody
  }

  /** The same tree where there is one already. */
  static over(storage: ReadStorage): ReadStorage {
    return storage instanceof ScanTree ? storage : new ScanTree(storage)
  }

  async list(directories: readonly string[]): Promise<Result<readonly DirectoryEntry[]>[]> {
    return remembered(this.listings, directories, async (missing) => {
      const listed = await this.storage.list(missing)
      for (const one of listed) this.entries += one.ok ? one.value.length + 1 : 1
      if (this.entries > mostEntries) {
        this.listings.clear()
        this.entries = 0
      }
      return listed
    })
  }

  async stat(paths: readonly string[]): Promise<Result<Stat>[]> {
    return remembered(this.stats, paths, (missing) => this.storage.stat(missing))
  }

  async resolve(paths: readonly string[]): Promise<Result<string>[]> {
    return remembered(this.resolved, paths, (missing) => this.storage.resolve(missing))
  }

  /** What somebody has listed already, or only wants seen in part. */
  remember(path: string, entries: readonly DirectoryEntry[]): void {
    this.listings.set(path, { ok: true, value: entries })
  }

  /** These folders are not asked for any more. */
  forget(paths: Iterable<string>): void {
    for (const path of paths) this.listings.delete(path)
  }

  /** The same of all that lies in these, and what was learnt of single files: no two runs share them. */
  forgetWithin(taken: ReadonlySet<string>): void {
    this.stats.clear()
    this.resolved.clear()
    for (const path of this.listings.keys()) if (isWithin(path, taken)) this.listings.delete(path)
  }

  readonly guard: ReadStorage['guard'] = (folder) => this.storage.guard(folder)
  readonly lstat: ReadStorage['lstat'] = (paths) => this.storage.lstat(paths)
  readonly read: ReadStorage['read'] = (paths, limit) => this.storage.read(paths, limit)
  readonly open: ReadStorage['open'] = (path) => this.storage.open(path)
  readonly sweep: ReadStorage['sweep'] = (find, options) => this.storage.sweep(find, options)
  readonly space: ReadStorage['space'] = (paths) => this.storage.space(paths)
}

/** One call for all that is not known yet. */
async function remembered<T>(
  known: Map<string, Result<T>>,
  paths: readonly string[],
  ask: (missing: readonly string[]) => Promise<Result<T>[]>,
): Promise<Result<T>[]> {
  const missing: string[] = []
  for (const path of paths) if (!known.has(path)) missing.push(path)
  const asked = missing.length === 0 ? [] : await ask(missing)
  for (let at = 0; at < missing.length; at += 1) {
    const path = missing[at]
    const answer = asked[at]
    if (path !== undefined && answer !== undefined) known.set(path, answer)
  }
  return missing.length === paths.length ? asked : paths.flatMap((path) => known.get(path) ?? [])
}

function isWithin(path: string, folders: ReadonlySet<string>): boolean {
  if (folders.has(path)) return true
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (folders.has(path.slice(0, end))) return true
  }
  return false
}
