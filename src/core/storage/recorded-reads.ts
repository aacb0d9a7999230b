/** What somebody asked of a storage, so that it is cheap to find out whether the answers would be the same again. */
import type { ReadStorage } from './storage.js'

/** Reads through another storage, and remembers each path. */
export class RecordedReads {
  readonly paths = new Set<string>()
  readonly storage: ReadStorage

  constructor(private readonly inner: ReadStorage) {
    this.storage = this.recording()
  }

  /**
   * Stands for sizes, times and identities of all that was asked for, and of what was not there. A stat of each path; a
   * folder's time changes with every name that comes to it or goes.
   */
  async fingerprint(): Promise<string> {
    const paths = [...this.paths].sort()
    const stats = await this.inner.stat(paths)
    const parts = stats.map((stat, index) => {
      const now = stat.ok ? `${stat.value.inode} ${stat.value.size} ${stat.value.modified}` : stat.error.errno
      return `${paths[index] ?? ''}\0${now}`
    })
    return parts.join('\0')
  }

  private recording(): ReadStorage {
    const { inner } = this
    const note = <A extends readonly string[]>(paths: A): A => {
      for (const path of paths) this.paths.add(path)
      return paths
    }
    return {
      custody: inner.custody,
      guard: (folder) => inner.guard(folder),
      list: (directories) => inner.list(note(directories)),
      stat: (paths) => inner.stat(note(paths)),
      lstat: (paths) => inner.lstat(note(paths)),
      read: (paths, limit) => inner.read(note(paths), limit),
      mayRead: (paths) => inner.mayRead(note(paths)),
      resolve: (paths) => inner.resolve(note(paths)),
      open: (path) => {
        note([path])
        return inner.open(path)
      },
      sweep: (find, options) =>
        inner.sweep(async () => {
          const files = await find()
          note(files.map(({ path }) => path))
          return files
        }, options),
      space: (paths) => inner.space(paths),
    }
  }
}
