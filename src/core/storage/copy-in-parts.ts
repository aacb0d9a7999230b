/** A copy that a signal ends: one that the system makes by itself goes on to its end, which of a large file takes minutes. */
import * as fs from 'node:fs'
import { CkptError } from '../errors.js'

/** Bytes; a smaller file is left to the system. */
export const smallestInParts = 1 << 26
/** Bytes that are read and written at a time. */
const part = 8 << 20

/**
 * All that `source` (open) holds into a new file at `to`, with the same permissions; where it fails nothing is left.
 * Throws the system's errors, and CkptError `interrupted`.
 */
export async function copyInParts(source: number, to: string, signal: AbortSignal | undefined): Promise<void> {
  const { mode } = fs.fstatSync(source)
  const target = await fs.promises.open(to, 'wx', mode & 0o777)
  try {
    await target.chmod(mode & 0o777)
    await writeTo(source, target, signal)
  } catch (error) {
    await fs.promises.unlink(to)
    throw error
  } finally {
    await target.close()
  }
}

async function writeTo(source: number, target: fs.promises.FileHandle, signal: AbortSignal | undefined): Promise<void> {
  const buffer = new Uint8Array(part)
  for (let at = 0; ;) {
    if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while copying')
    const count = await readAt(source, buffer, at)
    if (count === 0) return
    for (let done = 0; done < count;) {
      const { bytesWritten } = await target.write(buffer, done, count - done, at + done)
      done += bytesWritten
    }
    at += count
  }
}

async function readAt(source: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(source, into, 0, into.length, position, (error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}
