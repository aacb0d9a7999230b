/** What a file must be, known beforehand, and whether it is. */
import { createHash } from 'node:crypto'
import { CkptError } from '../../errors.js'
import { Pace, type LongWork } from '../../tensors/write/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/**
 * `git` is SHA-1 over `blob <size>\0` and the bytes: what git calls a small file, and so what a hub knows of one that
 * is not in its large-file storage.
 */
export interface Digest {
  readonly algorithm: 'sha256' | 'git'
  /** Lower-case hexadecimal digits. */
  readonly value: string
}

const block = 1 << 20

/** Reads the whole file, in bounded memory. Throws StorageError, and CkptError `interrupted`. */
export async function digestOf(
  storage: ReadStorage,
  path: string,
  algorithm: Digest['algorithm'],
  work: LongWork = {},
): Promise<Digest> {
  const handle = await storage.open(path)
  try {
    const hash = createHash(algorithm === 'git' ? 'sha1' : 'sha256')
    if (algorithm === 'git') hash.update(`blob ${handle.size}\0`)
    const pace = new Pace(handle.size, work)
    const bytes = new Uint8Array(block)
    for (let position = 0; ;) {
      const count = await handle.read(bytes, position)
      if (count === 0) break
      hash.update(bytes.subarray(0, count))
      position += count
      await pace.advance(count)
    }
    return { algorithm, value: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}

const names = { sha256: 'SHA-256', git: 'git hash' }

/** Throws CkptError `damaged` with both values. `what` names the file to people. */
export async function ensureDigest(
  storage: ReadStorage,
  path: string,
  expected: Digest,
  what: string,
  work: LongWork = {},
): Promise<void> {
  const found = await digestOf(storage, path, expected.algorithm, work)
  if (found.value === expected.value) return
  throw new CkptError(
    'damaged',
    `${what}: its ${names[expected.algorithm]} is ${found.value}, and ${expected.value} was expected`,
  )
}
