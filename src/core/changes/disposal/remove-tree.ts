/**
 * Removing everything below a path, depth first; links are not followed, other file systems not entered.
 *
 * Each folder is held open while its entries go, so what is removed is in that very folder, whatever its path has come
 * to lead to. A folder that is not the one that was looked at stays, with all that is in it.
 */
import { basename, dirname, join } from 'node:path'
import { StorageError } from '../../errors.js'
import type { FolderHandle, Identity, Stat, Storage } from '../../storage/storage.js'
import { patiently, type Wait } from '../../storage/retry.js'
import { otherFileSystem } from '../../storage/entries-below.js'
import { dataBytes } from './freed-bytes.js'
import type { Fingerprint, Mark } from './fingerprint.js'

export interface TreeRemoval {
  /** Bytes of the files that went, holes and files with another name left out. */
  readonly freedBytes: number
  /** How many names went. */
  readonly removed: number
  /** What could not be removed; a folder that only failed for what is in it is not named again. */
  readonly failures: readonly StorageError[]
}

/** A folder that is not empty may hold what NFS keeps for who has it open. */
const passing = ['ENOTEMPTY', 'EEXIST']

/**
 * Goes on past what fails. A path where nothing is, or is no longer, counts as removed. Of the folders only those go
 * that `planned` knows, where it is given.
 */
export async function removeTree(
  storage: Storage,
  path: string,
  wait: Wait,
  planned?: Fingerprint,
): Promise<TreeRemoval> {
  const remover = new TreeRemover(storage, wait)
  try {
    return await remover.remove(path, planned)
  } finally {
    await remover.close()
  }
}

/** The same of many, one after the other: the folder that the last one lay in is held open for the next. */
export class TreeRemover {
  private parent: FolderHandle | null = null

  constructor(
    private readonly storage: Storage,
    private readonly wait: Wait,
  ) {}

  async remove(path: string, planned?: Fingerprint): Promise<TreeRemoval> {
    const removal = new Removal(this.wait, planned)
    if (this.parent?.path !== dirname(path)) {
      await this.close()
      this.parent = await removal.holding(dirname(path), () => this.storage.openFolder(dirname(path)))
    }
    if (this.parent !== null) await removal.removeRoot(this.parent, basename(path))
    return removal
  }

  async close(): Promise<void> {
    await this.parent?.close()
    this.parent = null
  }
}

/** The same for an entry of a folder that is held open. */
export async function removeEntry(folder: FolderHandle, name: string, wait: Wait): Promise<TreeRemoval> {
  const removal = new Removal(wait, undefined)
  await removal.removeEntry(folder, name, '')
  return removal
}

class Removal implements TreeRemoval {
  freedBytes = 0
  removed = 0
  readonly failures: StorageError[] = []

  constructor(
    private readonly wait: Wait,
    private readonly planned: Fingerprint | undefined,
  ) {}

  /** Null where it is gone, or cannot be opened, which is noted. */
  async holding(path: string, open: () => Promise<FolderHandle>): Promise<FolderHandle | null> {
    try {
      return await open()
    } catch (error) {
      this.note(error)
      return null
    }
  }

  /**
   * The name of what was no folder when it was looked at, a moment before it left its place, goes without another look:
   * `unlink` takes no folder, and the last name of a file gives its bytes back. False where all that must be looked into.
   */
  private async unlinkKnown(folder: FolderHandle, name: string, mark: Mark | undefined): Promise<boolean> {
    if (mark?.allocated === undefined || mark.kind === 'directory' || mark.links !== 1) return false
    try {
      await folder.unlink(name)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return false
    }
    this.removed += 1
    this.freedBytes += Math.min(mark.size, mark.allocated)
    return true
  }

  /** What is known to be a folder is looked at by opening it. */
  async removeRoot(parent: FolderHandle, name: string): Promise<void> {
    const mark = this.planned?.get('')
    if (mark?.kind !== 'directory' || mark.device === null) return this.removeEntry(parent, name, '')
    await this.removeFolder(parent, name, '', { device: mark.device, inode: mark.inode })
  }

  /** `relative`: its path below where the removal began. */
  async removeEntry(parent: FolderHandle, name: string, relative: string, device?: bigint): Promise<void> {
    const stat = await this.look(parent, name)
    if (stat === null) return
    if (stat.kind !== 'directory') {
      const gone = await this.attempt(() => parent.unlink(name))
      // The other names of a file keep its bytes; it was looked at just before, so the last one says 1.
      if (gone) this.freedBytes += stat.links === 1 ? dataBytes(stat) : 0
      return
    }
    const path = join(parent.path, name)
    if (device !== undefined && stat.device !== device) this.failures.push(otherFileSystem(path))
    else if (!this.isPlanned(relative, stat)) this.failures.push(unknownFolder(path))
    else await this.removeFolder(parent, name, relative, stat)
  }

  private async removeFolder(parent: FolderHandle, name: string, relative: string, stat: Identity): Promise<void> {
    const failed = this.failures.length
    await this.empty(parent, name, relative, stat, relative === '' ? filesRightIn(this.planned) : null)
    if (this.failures.length > failed) return
    await this.attempt(
      () => parent.removeDirectory(name),
      () => this.empty(parent, name, relative, stat),
    )
  }

  /** `known`: what is in it, where that was seen a moment ago; what has come since keeps the folder, and is then listed. */
  private async empty(
    parent: FolderHandle,
    name: string,
    relative: string,
    stat: Identity,
    known: readonly string[] | null = null,
  ): Promise<void> {
    const path = join(parent.path, name)
    const folder = await this.holding(path, () => parent.open(name))
    if (folder === null) return
    try {
      if (!isSame(folder.stat, stat)) {
        this.failures.push(unknownFolder(path))
        return
      }
      for (const entry of known ?? (await folder.list()).map((one) => one.name)) {
        const below = relative === '' ? entry : `${relative}/${entry}`
        if (await this.unlinkKnown(folder, entry, this.planned?.get(below))) continue
        await this.removeEntry(folder, entry, below, stat.device)
      }
    } catch (error) {
      this.note(error)
    } finally {
      await folder.close()
    }
  }

  private isPlanned(relative: string, stat: Stat): boolean {
    if (this.planned === undefined) return true
    const mark = this.planned.get(relative)
    return mark?.kind === 'directory' && mark.inode === stat.inode && (mark.device ?? stat.device) === stat.device
  }

  private async look(parent: FolderHandle, name: string): Promise<Stat | null> {
    try {
      return await parent.lstat(name)
    } catch (error) {
      this.note(error)
      return null
    }
  }

  /** What is not there is as good as removed. */
  private note(error: unknown): void {
    if (!(error instanceof StorageError)) throw error
    if (error.code !== 'not-found') this.failures.push(error)
  }

  /** True when this call removed the name. */
  private async attempt(call: () => Promise<void>, again?: () => Promise<void>): Promise<boolean> {
    const failed = this.failures.length
    try {
      await patiently(this.wait, call, passing, async () => {
        await again?.()
        if (this.failures.length > failed) throw new StillFull()
      })
      this.removed += 1
      return true
    } catch (error) {
      if (error instanceof StillFull) return false
      this.note(error)
      return false
    }
  }
}

/** The names in a folder without folders; null of any other. */
function filesRightIn(planned: Fingerprint | undefined): readonly string[] | null {
  if (planned === undefined) return null
  const names: string[] = []
  for (const [name, { kind }] of planned) {
    if (name === '') continue
    if (kind === 'directory' || name.includes('/')) return null
    names.push(name)
  }
  return names
}

function isSame(one: Identity, other: Identity): boolean {
  return one.device === other.device && one.inode === other.inode
}

function unknownFolder(path: string): StorageError {
  return new StorageError(path, 'ESTALE', `${path}: not the folder that was looked at before, so it stays as it is`, {
    hint: 'see who moves folders there, and what is in it',
  })
}

/** What is in the folder cannot be removed, which is reported already: no use in trying the folder again. */
class StillFull extends Error {}
