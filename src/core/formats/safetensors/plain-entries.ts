/** The quick way through a usual header: JSON.parse, where its answer is sure to be that of the strict reader. */
import { isDtype } from './dtype.js'
import { metadataName, type Entries, type RawEntry } from './entries.js'

/**
 * Bytes of the longest header that is read this way: of a larger one that means ill, JSON.parse could make some fifty
 * times as much memory.
 */
const longest = 1 << 21
/** Writers pad with it. */
const space = 0x20

/**
 * The entries of a header as all writers make it, twenty times as fast as by `parseEntries`; null where anything in it
 * is out of the ordinary, for `parseEntries` to say what. What JSON.stringify gives back to the byte has no name twice,
 * no number that a double cannot hold, and no other spelling of anything. `header` is valid UTF-8.
 */
export function parsePlainEntries(header: Uint8Array): Entries | null {
  if (header.length > longest) return null
  let end = header.length
  while (header[end - 1] === space) end -= 1
  const value = parseCanonical(Buffer.from(header.buffer, header.byteOffset, end).toString())
  if (value === null) return null
  const { [metadataName]: metadata = {}, ...tensors } = value
  if (!isObject(metadata)) return null
  const pairs = Object.entries(metadata)
  const entries = Object.entries(tensors).map(([name, one]) => toEntry(name, one))
  if (!pairs.every(isText) || !entries.every((entry) => entry !== null)) return null
  return { metadata: new Map(pairs), entries, findings: [] }
}

function parseCanonical(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    // Half of a character, which the reference does not take, is written with this escape too.
    return isObject(value) && JSON.stringify(value) === text && !text.includes('\\ud') ? value : null
  } catch {
    return null
  }
}

function toEntry(name: string, value: unknown): RawEntry | null {
  if (!isObject(value)) return null
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string' || !isDtype(dtype) || Object.keys(value).length !== 3) return null
  if (!isUnsignedArray(shape) || !isUnsignedArray(offsets)) return null
  const [begin, end] = offsets
  return begin === undefined || end === undefined || offsets.length !== 2 ? null : { name, dtype, shape, begin, end }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isUnsignedArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0)
}

function isText(pair: [string, unknown]): pair is [string, string] {
  return typeof pair[1] === 'string'
}
