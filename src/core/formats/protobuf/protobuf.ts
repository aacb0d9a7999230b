/** Protocol buffers as fields in a row: what each means, its reader knows (protobuf.dev/programming-guides/encoding). */
import { FormatError } from '../../errors.js'

export interface ProtoField {
  readonly field: number
  /** Of wire types 0, 1 and 5: a varint, eight or four bytes; else null. */
  readonly number: bigint | null
  /** Of wire type 2: a view of its bytes; else null. */
  readonly bytes: Uint8Array | null
}

/** A varint at `at`, and where what follows begins. Throws FormatError where it is cut or longer than ten bytes. */
function readVarint(bytes: Uint8Array, at: number): { value: bigint; next: number } {
  let low = 0
  // Up to 28 bits are gathered as a number: most values have no more.
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[at + index]
    if (byte === undefined) throw cut(at)
    low += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value: BigInt(low), next: at + index + 1 }
  }
  let value = BigInt(low)
  for (let index = 4; index < 10; index += 1) {
    const byte = bytes[at + index]
    if (byte === undefined) throw cut(at)
    value |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), next: at + index + 1 }
  }
  throw new FormatError(`a number of more than ten bytes at byte ${at}`, { offset: at })
}

function cut(at: number): FormatError {
  return new FormatError(`ends amid the number at byte ${at}`, { offset: at })
}

/** A varint that counts or measures: throws FormatError above 2^53. */
export function readCount(bytes: Uint8Array, at: number): { value: number; next: number } {
  let count = 0
  // Up to 49 bits a number holds exactly: nearly all have no more.
  for (let index = 0; index < 7; index += 1) {
    const byte = bytes[at + index]
    if (byte === undefined) throw cut(at)
    count += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value: count, next: at + index + 1 }
  }
  const { value, next } = readVarint(bytes, at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(`the number ${value} at byte ${at} is not a length`, { offset: at })
  }
  return { value: Number(value), next }
}

/** The fields of a message, in their order. Throws FormatError where they do not fill `bytes` exactly. */
export function* fieldsOf(bytes: Uint8Array): Generator<ProtoField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at)
    const field = Number(tag.value >> 3n)
    const wire = Number(tag.value & 7n)
    if (field === 0) throw new FormatError(`a field without a number at byte ${at}`, { offset: at })
    at = tag.next
    if (wire === 0) {
      const { value, next } = readVarint(bytes, at)
      yield { field, number: value, bytes: null }
      at = next
    } else if (wire === 2) {
      const { value: length, next } = readCount(bytes, at)
      if (next + length > bytes.length) {
        throw new FormatError(
          `field ${field} at byte ${at} has ${length} bytes, and ${bytes.length - next} are there`,
          {
            offset: at,
          },
        )
      }
      yield { field, number: null, bytes: bytes.subarray(next, next + length) }
      at = next + length
    } else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4
      if (at + size > bytes.length) throw cut(at)
      const number = wire === 1 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
      yield { field, number, bytes: null }
      at += size
    } else throw new FormatError(`field ${field} at byte ${at} has the unknown wire type ${wire}`, { offset: at })
  }
}

/** A varint as the signed 64-bit number that it stands for. */
export function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}
