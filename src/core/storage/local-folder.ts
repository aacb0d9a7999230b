/** A folder of the local file system that is held open. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { throwingStorageErrors, toStorageError } from './storage-errors.js'
import type { OpenFolder } from './open-folder.js'
import { entriesOf, toStat } from './stats.js'
import type { DirectoryEntry, FolderHandle, Stat } from './storage.js'

export class LocalFolder implements FolderHandle {
  readonly path: string
  readonly stat: Stat

  constructor(private readonly folder: OpenFolder) {
    this.path = folder.path
    this.stat = toStat(folder.stats)
  }

  get way(): string {
    return throwingStorageErrors(this.path, () => this.folder.at('.'))
  }

  async list(): Promise<readonly DirectoryEntry[]> {
    return throwingStorageErrors(this.path, () => entriesOf(this.folder.list()))
  }

  async lstat(name: string): Promise<Stat> {
    return this.on(name, (at) => toStat(fs.lstatSync(at, { bigint: true })))
  }

  async open(name: string): Promise<FolderHandle> {
    return throwingStorageErrors(join(this.path, name), () => new LocalFolder(this.folder.open(name)))
  }

  async unlink(name: string): Promise<void> {
    this.on(name, (at) => fs.unlinkSync(at))
  }

  async removeDirectory(name: string): Promise<void> {
    this.on(name, (at) => fs.rmdirSync(at))
  }

  async close(): Promise<void> {
    this.folder.close()
  }

  private on<T>(name: string, call: (at: string) => T): T {
    try {
      return this.folder.act(() => call(this.folder.at(name)))
    } catch (error) {
      // The path is made for its message alone: there are tens of thousands of calls.
      throw toStorageError(join(this.path, name), error)
    }
  }
}
