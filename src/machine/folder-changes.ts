/** Being told of changes in folders, where the system does that: on network file systems only of this machine's own. */
import { watch, type FSWatcher } from 'node:fs'

/** The system has few of these for a user. */
const mostWatched = 128

export class FolderChanges {
  private readonly watchers = new Map<string, FSWatcher>()

  constructor(private readonly onChange: () => void) {}

  /** From now on these, and no others. One that cannot be watched is left out: whoever wants to be sure looks himself. */
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
