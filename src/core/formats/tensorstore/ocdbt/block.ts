/**
 * What manifests and nodes of TensorStore's OCDBT have in common (tensorstore/kvstore/ocdbt/index.rst): a header with
 * the length of all, a body that may be packed, and a CRC-32C of everything before it.
 */
import { FormatError } from '../../../errors.js'
import { crc32c } from '../../bytes/crc32c.js'
import { readCount } from '../../protobuf/protobuf.js'
import { unzstd } from '../../compression/zstd/zstd.js'

/** Bytes of an unpacked body: writers cut nodes at 8 MB (`max_decoded_node_bytes`). */
const largestBody = 1 << 26

/** The body of a block that `bytes` are all of. Throws FormatError with the numbers that disagree. */
export function bodyOf(bytes: Uint8Array, magic: number, what: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 18 || view.getUint32(0) !== magic) throw new FormatError(`does not begin as ${what} of OCDBT`)
  const length = Number(view.getBigUint64(4, true))
  if (length !== bytes.length) throw new FormatError(`ends early: ${bytes.length} of ${length} bytes of ${what}`)
  const sum = crc32c(bytes.subarray(0, length - 4))
  const stored = view.getUint32(length - 4, true)
  if (sum !== stored) {
    throw new FormatError(`${what} has the CRC-32C ${hex(sum)}, and ${hex(stored)} is written in it`)
  }
  const version = readCount(bytes, 12)
  const packing = readCount(bytes, version.next)
  if (version.value !== 0 || packing.value > 1) {
    throw new FormatError(`${what} of OCDBT version ${version.value}, packed in the way ${packing.value}`, {
      code: 'refused',
    })
  }
  const body = bytes.subarray(packing.next, length - 4)
  return packing.value === 1 ? unzstd(body, largestBody) : body
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

/** Reads numbers one behind the other. */
export class Cursor {
  private readonly view: DataView

  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  count(): number {
    const { value, next } = readCount(this.bytes, this.at)
    this.at = next
    return value
  }

  /** So many counts; each takes at least a byte, so a number that lies takes no memory. */
  counts(length: number): number[] {
    this.require(length)
    return Array.from({ length }, () => this.count())
  }

  byte(): number {
    this.require(1)
    return this.view.getUint8(this.at++)
  }

  take(length: number): Uint8Array {
    this.require(length)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  private require(length: number): void {
    if (length <= this.bytes.length - this.at) return
    throw new FormatError(`ends early: ${length} bytes are wanted at ${this.at} of ${this.bytes.length}`)
  }
}

/** The paths of data files in front of their base path, `transitive` and both together (the data file table). */
export function readFileTable(cursor: Cursor, transitive: string): DataFile[] {
  const count = cursor.count()
  if (count === 0) return []
  const prefixes = [0, ...cursor.counts(count - 1)]
  const suffixes = cursor.counts(count)
  const bases = cursor.counts(count)
  let path = ''
  return suffixes.map((length, index) => {
    path = path.slice(0, prefixes[index]) + Buffer.from(cursor.take(length)).toString('latin1')
    const base = transitive + path.slice(0, bases[index])
    return { path: transitive + path, base }
  })
}

export interface DataFile {
  /** Relative to the folder of the manifest, with `/`. */
  readonly path: string
  /** What the paths of files that this one names begin with. */
  readonly base: string
}
