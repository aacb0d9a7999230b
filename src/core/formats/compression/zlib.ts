/** What zlib packed, in one piece. */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'

/** Rejects where it is damaged, or comes to more than `most` bytes. */
export function unpackZlib(packed: Uint8Array, most: number): Promise<Uint8Array> {
  // Made here and not for all calls: loading this module must not load node:zlib, which takes long (bin/run.js).
  return promisify(inflate)(packed, { maxOutputLength: most })
}
