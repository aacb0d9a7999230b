/** Renames from one folder of the local file system into another. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { StorageError } from '../errors.js'
import { throwingStorageErrors } from './storage-errors.js'
import type { Guard, GuardedName } from './guarded-folders.js'
import type { Identity, Passage } from './storage.js'

/** The two places of a rename, each held open where it lies in a guarded folder. */
export class Ends {
  private constructor(
    readonly one: GuardedName | null,
    readonly other: GuardedName | null,
  ) {}

  static open(guarded: Guard, from: string, to: string): Ends {
    const one = guarded.hold(from, 'change')
    try {
      return new Ends(one, guarded.hold(to, 'change'))
    } catch (error) {
      one?.folder.close()
      throw error
    }
  }

  /** Calls with two paths that lead to the names themselves. */
  act<T>(from: string, to: string, call: (from: string, to: string) => T): T {
    const { one, other } = this
    // Where the two belong to different people, only the superuser may do it: in the very folders that were seen.
    const isOnes = one !== null && other !== null && one.folder.stats.uid === other.folder.stats.uid
    return isOnes ? one.folder.act(() => call(from, to)) : call(from, to)
  }

  close(): void {
    this.other?.folder.close()
    this.one?.folder.close()
  }
}

/** Opening the way to both ends for each of ten thousand checkpoints takes longer than their renames. */
export class LocalPassage implements Passage {
  private ends: Ends | null = null

  constructor(
    private readonly guarded: Guard,
    private readonly from: string,
    private readonly to: string,
  ) {}

  async move(name: string, as: string, expected: Identity): Promise<boolean> {
    const [from, to] = [join(this.from, name), join(this.to, as)]
    try {
      return throwingStorageErrors(to, () => {
        const { one, other } = (this.ends ??= Ends.open(this.guarded, from, to))
        const paths = [one?.folder.at(name) ?? from, other?.folder.at(as) ?? to] as const
        return this.ends.act(...paths, (at, into) => moveExpected(from, at, into, expected))
      })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.ends?.close()
    this.ends = null
  }
}

/** What is not `expected` goes back to where it came from, which messages call `from`. */
export function moveExpected(from: string, one: string, other: string, expected: Identity): boolean {
  fs.renameSync(one, other)
  const { dev, ino } = fs.lstatSync(other, { bigint: true })
  if (dev === expected.device && ino === expected.inode) return true
  const back = isTaken(one) ? freeBeside(one) : one
  fs.renameSync(other, back)
  if (back === one) return false
  const kept = `${from}${back.slice(one.length)}`
  throw new StorageError(from, 'EEXIST', `${from}: replaced twice meanwhile; what had the name first is ${kept}`)
}

/** For one call of the system. */
export function pathOf(reached: GuardedName | null, path: string): string {
  return reached === null ? path : reached.folder.at(reached.name)
}

function freeBeside(at: string): string {
  for (let count = 1; ; count += 1) if (!isTaken(`${at}.kept${count}`)) return `${at}.kept${count}`
}

function isTaken(at: string): boolean {
  return fs.lstatSync(at, { throwIfNoEntry: false }) !== undefined
}
