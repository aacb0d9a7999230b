/**
 * numpy's dtypes as `dtype.__reduce__` gives them (numpy/_core/src/multiarray/descriptor.c, arraydescr_reduce):
 * a type code (`f8`), and a state (version, byte order, …). Used wherever numpy writes itself: YAML and pickles.
 */
import { elementTypes, type ElementType } from '../bytes/elements.js'

export interface NumpyDtype extends ElementType {
  /** The order that the bytes are in. The name does not tell: numpy swaps to its own order as it reads. */
  readonly littleEndian: boolean
}

const nameOfCode = new Map([
  ['b1', 'bool'],
  ['?', 'bool'],
  ['i1', 'int8'],
  ['u1', 'uint8'],
  ['i2', 'int16'],
  ['u2', 'uint16'],
  ['i4', 'int32'],
  ['u4', 'uint32'],
  ['i8', 'int64'],
  ['u8', 'uint64'],
  ['f2', 'float16'],
  ['f4', 'float32'],
  ['f8', 'float64'],
  ['c8', 'complex64'],
  ['c16', 'complex128'],
])

const known = new Map<string, NumpyDtype | null>()

/**
 * The dtype of a type code and a byte order (`<`, `>`, `|` or `=`, which stands for the writer's own and is taken
 * as little). Null for one that is not read (objects, records, datetime64, long double).
 */
export function numpyDtype(code: string, order: string): NumpyDtype | null {
  const key = order + code
  const cached = known.get(key)
  if (cached !== undefined) return cached
  const dtype = makeDtype(code, order)
  if (known.size < 1000) known.set(key, dtype)
  return dtype
}

function makeDtype(code: string, order: string): NumpyDtype | null {
  const sized = /^([<>|=]?)(.+)$/.exec(code)
  if (sized === null) return null
  const [, ownOrder = '', bare = ''] = sized
  const littleEndian = (ownOrder === '' ? order : ownOrder) !== '>'
  const text = /^([USa])([0-9]{1,7})$/.exec(bare)
  if (text !== null) return textDtype(text[1] === 'U', Number(text[2]), littleEndian)
  const type = elementTypes.get(nameOfCode.get(bare) ?? '')
  if (type === undefined) return null
  return { ...type, littleEndian }
}

/** `U`: UTF-32, padded with zeros to `length` characters. `S`: bytes, padded likewise. */
function textDtype(unicode: boolean, length: number, littleEndian: boolean): NumpyDtype {
  if (!unicode) {
    return { name: `|S${length}`, size: length, littleEndian, read: (view, at) => unpadded(view, at, length) }
  }
  return {
    name: `<U${length}`,
    size: 4 * length,
    littleEndian,
    read: (view, at, little) => unicodeText(view, at, length, little),
  }
}

function unpadded(view: DataView, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
  let end = length
  while (end > 0 && bytes[end - 1] === 0) end--
  return bytes.slice(0, end)
}

function unicodeText(view: DataView, at: number, length: number, little: boolean): string {
  const points: number[] = []
  for (let index = 0; index < length; index++) points.push(view.getUint32(at + 4 * index, little))
  while (points.at(-1) === 0) points.pop()
  return points.map((point) => (point <= 0x10ffff ? String.fromCodePoint(point) : '\uFFFD')).join('')
}
