/** Removing everything below a path, depth first; links are not followed, other file systems not entered. */
import { join } from 'node:path'
import { StorageError } from '../../errors.js'
import type { Stat, Storage } from '../../storage/storage.js'
import { patiently, type Wait } from '../../storage/retry.js'
import { otherFileSystem } from '../../storage/tree.js'

export interface TreeRemoval {
  /** Bytes that the medium got back. */
  readonly freedBytes: number
  /** How many names went. */
  readonly removed: number
  /** What could not be removed; a folder that only failed for what is in it is not named again. */
  readonly failures: readonly StorageError[]
}

/** A folder that is not empty may hold what NFS keeps for who has it open. */
const passing = ['ENOTEMPTY', 'EEXIST']

/** Goes on past what fails. A path where nothing is, or is no longer, counts as removed. */
export async function removeTree(storage: Storage, path: string, wait: Wait): Promise<TreeRemoval> {
  const removal = new Removal(storage, wait)
  const stat = await removal.look(path)
  if (stat !== null) await removal.remove(path, stat, stat.device)
  return removal
}

class Removal implements TreeRemoval {
  freedBytes = 0
  removed = 0
  readonly failures: StorageError[] = []

  constructor(
    private readonly storage: Storage,
    private readonly wait: Wait,
  ) {}

  async look(path: string): Promise<Stat | null> {
    const [stat] = await this.storage.lstat([path])
    if (stat === undefined) return null
    if (stat.ok) return stat.value
    if (stat.error.code !== 'not-found') this.failures.push(stat.error)
    return null
  }

  async remove(path: string, stat: Stat, device: bigint): Promise<void> {
    if (stat.kind !== 'directory') {
      const gone = await this.attempt(() => this.storage.unlink(path))
      // The other names of a file keep its bytes; it was looked at just before, so the last one says 1.
      if (gone) this.freedBytes += stat.links === 1 ? stat.allocated : 0
      return
    }
    if (stat.device !== device) {
      this.failures.push(otherFileSystem(path))
      return
    }
    const failed = this.failures.length
    await this.empty(path, device)
    if (this.failures.length > failed) return
    const gone = await this.attempt(
      () => this.storage.removeDirectory(path),
      () => this.empty(path, device),
    )
    if (gone) this.freedBytes += stat.allocated
  }

  private async empty(path: string, device: bigint): Promise<void> {
    const [listing] = await this.storage.list([path])
    if (listing === undefined) return
    if (!listing.ok) {
      if (listing.error.code !== 'not-found') this.failures.push(listing.error)
      return
    }
    for (const { name } of listing.value) {
      const stat = await this.look(join(path, name))
      if (stat !== null) await this.remove(join(path, name), stat, device)
    }
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
      if (!(error instanceof StorageError)) throw error
      if (error.code !== 'not-found') this.failures.push(error)
      return false
    }
  }
}

/** What is in the folder cannot be removed, which has been told: no use in trying the folder again. */
class StillFull extends Error {}
