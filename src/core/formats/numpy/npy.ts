/**
 * The header of NumPy's `.npy` (numpy/lib/format.py): a signature, a version, the header's length, and a Python dict of
 * three keys, `descr`, `fortran_order` and `shape`, as a literal.
 */
import { FormatError } from '../../errors.js'
import { elementCount } from '../bytes/elements.js'
import { numpyDtype } from './dtype.js'

export interface NpyHeader {
  /** `<f4`; of records the text of the whole description. */
  readonly descr: string
  readonly isFortran: boolean
  readonly shape: readonly number[]
  /** Where the elements begin. */
  readonly dataStart: number
}

/** What an array's elements are; `size` is bytes. */
export interface ArrayType {
  /** numpy's name: `float32`. */
  readonly name: string
  readonly size: number
  readonly littleEndian: boolean
}

/** Bytes before the header of the longest form. */
export const npyPrefix = 12
/** Of the literal; numpy itself refuses more than 10,000 characters. */
const longestHeader = 1 << 16

export function isNpy(head: Uint8Array): boolean {
  return signature.every((byte, index) => head[index] === byte)
}

const signature = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** Bytes from the start of the file to the end of the header, by its first `npyPrefix` bytes. Throws FormatError. */
export function npyHeaderEnd(prefix: Uint8Array): number {
  if (!isNpy(prefix)) throw new FormatError('does not begin as a NumPy array does', { offset: 0 })
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  const version = prefix[6] ?? 0
  const wide = version >= 2
  if (version < 1 || version > 3) throw new FormatError(`version ${version} of NumPy's format, and 1 to 3 are known`)
  if (prefix.length < (wide ? 12 : 10)) throw new FormatError(`ends early: ${prefix.length} bytes`)
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (length > longestHeader)
    throw new FormatError(`a header of ${length} bytes, and at most ${longestHeader} are read`)
  return (wide ? 12 : 10) + length
}

/** `bytes` go up to the end of the header. Throws FormatError for a header that numpy would not read. */
export function parseNpyHeader(bytes: Uint8Array): NpyHeader {
  const dataStart = npyHeaderEnd(bytes.subarray(0, npyPrefix))
  if (bytes.length < dataStart) {
    throw new FormatError(`ends early: ${bytes.length} bytes, and its header alone has ${dataStart}`)
  }
  const text = literalIn(bytes, dataStart)
  const isFortran = /'fortran_order'\s*:\s*(True|False)\b/.exec(text)?.[1]
  const shape = /'shape'\s*:\s*\(([\d\sL,]*)\)/.exec(text)?.[1]
  const descr = descrIn(text)
  if (isFortran === undefined || shape === undefined || descr === null) {
    throw new FormatError(`a header without descr, fortran_order and shape: ${JSON.stringify(text.slice(0, 80))}`)
  }
  const sizes = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size.replace('L', ''))]))
  if (elementCount(sizes) === null) throw new FormatError(`a shape that no array has: (${shape})`)
  return { descr, isFortran: isFortran === 'True', shape: sizes, dataStart }
}

function literalIn(bytes: Uint8Array, end: number): string {
  const wide = (bytes[6] ?? 0) >= 2
  return Buffer.from(bytes.subarray(wide ? 12 : 10, end)).toString('utf8')
}

function descrIn(text: string): string | null {
  const key = /'descr'\s*:\s*/.exec(text)
  if (key === null) return null
  const found = /^(?:'([^']*)'|(\[[\s\S]*?\])\s*,\s*')/.exec(text.slice(key.index + key[0].length))
  return found?.[1] ?? found?.[2] ?? null
}

/**
 * False where numpy takes what follows the header for plain bytes. `bytes` go up to the end of the header. Python evaluates
 * the literal, so that one written in another way than writers do (a key twice, an escape in a name) can say another type
 * than it seems to: that counts as objects, which are a pickle (numpy/lib/format.py, `read_array`).
 */
export function mayHoldPickle(bytes: Uint8Array): boolean {
  const text = literalIn(bytes, npyHeaderEnd(bytes.subarray(0, npyPrefix))).replace(/\s+/g, '')
  if (!plainHeader.test(text)) return true
  const descr = descrIn(text)
  return descr === null || (arrayType(descr) === null && !plainText.test(descr))
}

/** The three keys in the order of all writers, each with a value that is no expression. */
const plainHeader = /^\{'descr':'[^'\\]*','fortran_order':(?:True|False),'shape':\([\dL,]*\),?\}$/

/** Texts and times. */
const plainText = /^[<>|=]?(?:[USa]\d+|[Mm]8(?:\[\w+\])?)$/

/**
 * What numbers a description stands for; null for objects, records, texts and times. ml_dtypes' bfloat16 is written as
 * two bytes without a meaning (`V2`), and so are its other types; those of one byte can be several.
 */
export function arrayType(descr: string): ArrayType | null {
  const bare = descr.replace(/^[<>|=]/, '')
  if (bare === 'V2' || bare === 'bfloat16') return { name: 'bfloat16', size: 2, littleEndian: !descr.startsWith('>') }
  if (bare === 'f1') return { name: 'float8_e5m2', size: 1, littleEndian: true }
  if (/^[USa]\d/.test(bare)) return null
  const type = numpyDtype(bare, descr.slice(0, descr.length - bare.length) || '<')
  return type === null ? null : { name: type.name, size: type.size, littleEndian: type.littleEndian }
}
