/**
 * msgpack (github.com/msgpack/msgpack, spec.md), walked by its lengths alone: no text, array or extension is read, so that
 * a file of gigabytes takes a few reads for each of its values.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../bytes/byte-source.js'

/** Values of one file; a model has some for each of its arrays. */
const mostValues = 1 << 22
/** Containers within each other. */
const deepest = 1024

/** What follows the first byte of a value: bytes of a count, of a length, or of the value itself. */
interface Shape {
  /** Bytes of a big-endian number behind the first byte. */
  readonly prefix: number
  /** Values inside for each that the number counts. */
  readonly values?: number
  /** Bytes behind the number: as many as it says, and these more. */
  readonly bytes?: number
  /** Bytes that always follow. */
  readonly fixed?: number
}

/** By the first byte, from 0xc0 (nil) to 0xdf (map 32). 0xc1 is never used. */
const shapes: readonly (Shape | null)[] = [
  ...[{ prefix: 0 }, null, { prefix: 0 }, { prefix: 0 }],
  ...[1, 2, 4].map((prefix) => ({ prefix, bytes: 0 })),
  ...[1, 2, 4].map((prefix) => ({ prefix, bytes: 1 })),
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8].map((fixed) => ({ prefix: 0, fixed })),
  ...[2, 3, 5, 9, 17].map((fixed) => ({ prefix: 0, fixed })),
  ...[1, 2, 4].map((prefix) => ({ prefix, bytes: 0 })),
  ...[2, 4].map((prefix) => ({ prefix, values: 1 })),
  ...[2, 4].map((prefix) => ({ prefix, values: 2 })),
]

/** The source holds one value, to its last byte. Throws FormatError where it ends early, goes on, or is none. */
export async function checkMsgpack(file: ByteSource): Promise<void> {
  const source = inBlocks(file)
  /** Values still to come, of each container that is open. */
  const open: number[] = [1]
  let offset = 0
  for (let count = 0; open.length > 0; count += 1) {
    const left = open.at(-1) ?? 0
    if (left === 0) {
      open.pop()
      continue
    }
    if (count > mostValues) throw new FormatError(`msgpack: more than ${mostValues} values`, { offset })
    open[open.length - 1] = left - 1
    const { values, end } = await skipHead(source, offset)
    if (end > file.byteLength) throw endsEarly(file.byteLength, offset, end)
    if (values > file.byteLength - end) throw endsEarly(file.byteLength, offset, end + values)
    offset = end
    if (values > 0) open.push(values)
    if (open.length > deepest)
      throw new FormatError(`msgpack: more than ${deepest} containers in each other`, { offset })
  }
  if (offset === file.byteLength) return
  throw new FormatError(`msgpack: its value ends at byte ${offset}, and ${file.byteLength - offset} more follow`, {
    offset,
  })
}

/** How many values the one at `offset` holds, and where its own bytes end. */
async function skipHead(
  source: ByteSource,
  offset: number,
): Promise<{ readonly values: number; readonly end: number }> {
  const head = await source.read(offset, 5)
  const [first] = head
  if (first === undefined) throw endsEarly(source.byteLength, offset, offset + 1)
  if (first < 0x80 || first >= 0xe0) return { values: 0, end: offset + 1 }
  if (first < 0x90) return { values: 2 * (first & 0x0f), end: offset + 1 }
  if (first < 0xa0) return { values: first & 0x0f, end: offset + 1 }
  if (first < 0xc0) return { values: 0, end: offset + 1 + (first & 0x1f) }
  const shape = shapes[first - 0xc0] ?? null
  if (shape === null) throw new FormatError(`msgpack: no value begins with 0x${first.toString(16)}`, { offset })
  const { prefix, values = 0, bytes, fixed = 0 } = shape
  if (head.length < 1 + prefix) throw endsEarly(source.byteLength, offset, offset + 1 + prefix)
  const number = head.subarray(1, 1 + prefix).reduce((sum, byte) => sum * 256 + byte, 0)
  const end = offset + 1 + prefix + fixed + (bytes === undefined ? 0 : number + bytes)
  return { values: values * number, end }
}

function endsEarly(size: number, offset: number, end: number): FormatError {
  return new FormatError(
    `ends early: the msgpack value at byte ${offset} goes to byte ${end} at least, and the file has ${size} bytes`,
    { offset: size },
  )
}
