/** What tells one state of a file from another, as plain numbers: for who compares tens of thousands of files. */
import type * as fs from 'node:fs'
import type { FileStates, Result, Stat } from './storage.js'
import { toStorageError } from './storage-errors.js'

/** As the system tells it. */
type SystemState = Pick<fs.BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/** Numbers of each file. */
const fields = 5

class Gathered {
  private readonly numbers: BigUint64Array
  private readonly failed: FileStates['failed'][number][] = []
  private newest = 0n
  private at = 0

  constructor(count: number) {
    this.numbers = new BigUint64Array(fields * count)
  }

  add(device: bigint, inode: bigint, size: bigint, modifiedNs: bigint, changedNs: bigint): void {
    const { numbers, at } = this
    numbers[at] = device
    numbers[at + 1] = inode
    numbers[at + 2] = size
    numbers[at + 3] = modifiedNs
    numbers[at + 4] = changedNs
    if (modifiedNs > this.newest) this.newest = modifiedNs
    if (changedNs > this.newest) this.newest = changedNs
    this.at += fields
  }

  fail(failure: FileStates['failed'][number]): void {
    this.failed.push(failure)
  }

  result(): FileStates {
    return { numbers: this.numbers.subarray(0, this.at), newest: this.newest, failed: this.failed }
  }
}

/** Asks for each path; `look` may throw the system's errors. */
export function statesOf(paths: readonly string[], look: (path: string) => SystemState): FileStates {
  const gathered = new Gathered(paths.length)
  for (let index = 0; index < paths.length; index += 1) {
    const path = paths[index] ?? ''
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = look(path)
      gathered.add(dev, ino, size, mtimeNs, ctimeNs)
    } catch (error) {
      gathered.fail({ index, error: toStorageError(path, error) })
    }
  }
  return gathered.result()
}

/** The same of what is known already. */
export function statesIn(stats: readonly Result<Stat>[]): FileStates {
  const gathered = new Gathered(stats.length)
  for (const [index, stat] of stats.entries()) {
    if (!stat.ok) {
      gathered.fail({ index, error: stat.error })
      continue
    }
    const { device, inode, size, modifiedNs, changedNs } = stat.value
    gathered.add(device, inode, BigInt(size), modifiedNs, changedNs)
  }
  return gathered.result()
}
