/** The beginning of what gzip or zlib packed as a whole. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { Gunzip, isGzip } from './gzip.js'
import { isZlib } from './zlib.js'
import { UnpackingBudget } from './unpacking-budget.js'

export interface UnpackedFirst {
  readonly bytes: Uint8Array
  /** More would come; or why no more does, though that is not the end. */
  readonly ending: 'whole' | 'cut' | FormatError
}

export function isUnpackable(head: Uint8Array): boolean {
  return isGzip(head) || isZlib(head)
}

/** Bytes in and out at a time: Python's readers give what they unpacked before an error in larger pieces. */
const pieces = { input: 1 << 13, output: 1 << 12 }

/** `most` bytes at most, of a file that begins with `head`. What breaks off gives what came before. Throws as `source` does. */
export async function unpackFirst(source: ByteSource, head: Uint8Array, most: number): Promise<UnpackedFirst> {
  const name = isGzip(head) ? 'gzip' : 'zlib'
  const unpacked = new Gunzip(source, new UnpackingBudget(Infinity), { name, ...pieces })
  const parts: Uint8Array[] = []
  let ending: UnpackedFirst['ending'] = 'cut'
  try {
    while (unpacked.position < most) {
      const part = await unpacked.next(most - unpacked.position)
      if (part === null) {
        ending = unpacked.left === 0 ? 'whole' : moreBehind(name, unpacked)
        break
      }
      parts.push(part)
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    ending = error
  } finally {
    await unpacked.close()
  }
  return { bytes: Buffer.concat(parts), ending }
}

/** joblib goes on with it as with the first. */
function moreBehind(name: string, { left, position }: Gunzip): FormatError {
  return new FormatError(`${name}: ${left} bytes follow what unpacks to ${position}`)
}
