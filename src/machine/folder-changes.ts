/** Watches folders for changes, where the system can; on network file systems it sees only changes by this machine. */
import { watch, type FSWatcher } from 'node:fs'

/** The system has few of these for a user. */
const mostWatched = 128

export class FolderChanges {
  private readonly watchers = new Map<string, FSWatcher>()

  constructor(private readonly onChange: () => void) {}

  /** Watches these folders from now on, and no others. One that cannot be watched is left out, so callers must poll too. */
  follow(folders: readonly string[]): void {
    const wanted = new Set(folders.slice(0, mostWatched))
    for (const folder of [...this.watchers.keys()]) if (!wanted.has(folder)) this.drop(folder)
    for (const folder of wanted) this.add(folder)
  }

  close(): void {
    for (const folder of [...this.watchers.keys()]) this.drop(folder)
  }

  private add(folder: string): void {
    if (this.watchers.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: false }, () => this.onChange())
      // A folder that goes away takes its watcher along.
      watcher.on('error', () => this.drop(folder))
      this.watchers.set(folder, watcher)
    } catch {
      // Not there, or no watcher left.
    }
  }

  private drop(folder: string): void {
    this.watchers.get(folder)?.close()
    this.watchers.delete(folder)
  }
}
