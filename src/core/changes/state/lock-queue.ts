/**
 * Who waits for a lock takes it in the order of coming. What is to become the lock waits beside it as a folder with a
 * record in it, and the file system's time of that record says who came first. Each waits for the one just before it
 * alone, so that a hundred that wait look at a hundred files, and not at ten thousand.
 */
import { join } from 'node:path'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { lifeOf, toOwner, type Owner, type Processes } from './lock-owner.js'
import { readRecord } from './record.js'

/** Seconds without a sign of life after which one that waits is passed over: it was stopped, or its machine is gone. */
export const passedOverAfter = 30

export interface QueueOptions {
  /** The state folder. */
  readonly folder: string
  /** Of those that wait, before their tokens: `lock-`. */
  readonly prefix: string
  /** Our own name in that folder. */
  readonly own: string
  /** In each, the record that was written once, when its ckpt came. */
  readonly record: string
  readonly processes: Processes
}

interface Waiting {
  readonly name: string
  /** Unix seconds, by the file system's clock. */
  readonly came: number
}

export class LockQueue {
  /** The one just before us, as of the last look. */
  private before: string | null = null

  constructor(
    private readonly storage: ReadStorage,
    private readonly options: QueueOptions,
  ) {}

  /** Who is before us, null for nobody. We are there ourselves, and have just given a sign of life. */
  async ahead(): Promise<Owner | null> {
    if (this.before !== null) {
      const owner = await this.livingOwner(this.before)
      if (owner !== null && (await this.isBefore(this.before))) return owner
    }
    for (const name of await this.thoseBefore()) {
      const owner = await this.livingOwner(name)
      if (owner === null) continue
      this.before = name
      return owner
    }
    this.before = null
    return null
  }

  /**
   * A record has the time of its last byte: one that was still being written when we looked may have come after us, and
   * would wait for us while we wait for it.
   */
  private async isBefore(name: string): Promise<boolean> {
    const { folder, own, record } = this.options
    const [there, ours] = await this.storage.lstat([join(folder, name, record), join(folder, own, record)])
    if (there?.ok !== true || ours?.ok !== true) return false
    return cameBefore({ name, came: there.value.modified }, { name: own, came: ours.value.modified })
  }

  /** The last that came before us first. */
  private async thoseBefore(): Promise<string[]> {
    const { folder, prefix, own, record } = this.options
    const [listing] = await this.storage.list([folder])
    if (listing?.ok !== true) return []
    const names = listing.value
      .filter(({ name, kind }) => kind === 'directory' && name.startsWith(prefix) && isToken(name.slice(prefix.length)))
      .map(({ name }) => name)
    if (names.every((name) => name === own)) return []
    const stats = await this.storage.lstat(names.map((name) => join(folder, name, record)))
    const waiting = names.flatMap((name, index): Waiting[] => {
      const stat = stats[index]
      return stat?.ok === true ? [{ name, came: stat.value.modified }] : []
    })
    const us = waiting.find(({ name }) => name === own)
    if (us === undefined) return []
    const before = waiting.filter((one) => cameBefore(one, us))
    return before.sort((a, b) => b.came - a.came || (b.name < a.name ? -1 : 1)).map(({ name }) => name)
  }

  /** Null of one that is there no more, whose ckpt is dead, or that has given no sign of life for long. */
  private async livingOwner(name: string): Promise<Owner | null> {
    const { folder, own, record, processes } = this.options
    const [there, ours] = await this.storage.lstat([join(folder, name), join(folder, own)])
    if (there?.ok !== true || ours?.ok !== true) return null
    if (ours.value.modified - there.value.modified > passedOverAfter) return null
    const owner = await this.ownerIn(join(folder, name, record))
    return owner === null || lifeOf(owner, processes) === 'dead' ? null : owner
  }

  /** Null while it is being written, which is not damage. */
  private async ownerIn(path: string): Promise<Owner | null> {
    try {
      const record = await readRecord(this.storage, path)
      return record === null ? null : toOwner(record)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      return null
    }
  }
}

function cameBefore(one: Waiting, other: Waiting): boolean {
  return one.came < other.came || (one.came === other.came && one.name < other.name)
}

/** What `randomUUID` gives; what is put aside has more behind it. */
function isToken(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
