/** numpy arrays in a pickle (numpy/_core/src/multiarray/methods.c, `array_reduce`, `array_reduce_ex_picklebuffer`). */
import { FormatError } from '../../errors.js'
import { elementCount } from '../bytes/elements.js'
import { arrayType, type ArrayType } from './npy.js'
import { countOf, globalName, itemsOf, textOf, type PickleInstance, type PickleNode } from '../pickle/index.js'

export interface PickledArray {
  readonly type: ArrayType
  readonly shape: readonly number[]
  readonly isFortran: boolean
  /** Bytes or a text of one character a byte. */
  readonly data: PickleNode
  readonly isText: boolean
}

/** The array that a node is; undefined for any other, and for arrays that hold no numbers. Throws FormatError. */
export function pickledArray(node: PickleNode): PickledArray | undefined {
  if (typeof node !== 'object' || node === null || !('callee' in node)) return undefined
  const name = (globalName(node.callee) ?? '').replace(/^numpy\._core\./, 'numpy.core.')
  if (name === 'numpy.core.multiarray._reconstruct') return reconstructed(node)
  if (name === 'numpy.core.numeric._frombuffer') return fromBuffer(itemsOf(node.args) ?? [])
  return undefined
}

/** The state is (version, shape, dtype, is Fortran, bytes); arrays of objects have a list in place of bytes. */
function reconstructed({ states }: PickleInstance): PickledArray | undefined {
  const [shape, dtype, isFortran, data] = (itemsOf(states[0]) ?? []).slice(-4)
  return arrayFrom(data, dtype, shape, isFortran === true)
}

/** Of protocol 5: (bytes, dtype, shape, order). */
function fromBuffer([data, dtype, shape, order]: readonly PickleNode[]): PickledArray | undefined {
  return arrayFrom(data, dtype, shape, textOf(order) === 'F')
}

function arrayFrom(
  data: PickleNode | undefined,
  dtype: PickleNode | undefined,
  shapeNode: PickleNode | undefined,
  isFortran: boolean,
): PickledArray | undefined {
  const type = typeOf(dtype)
  const given = bytesIn(data)
  if (type === null || given === undefined) return undefined
  const shape = itemsOf(shapeNode)?.map((size) => countOf(size) ?? -1)
  if (shape === undefined || elementCount(shape) === null) {
    throw new FormatError('numpy: an array with a shape that no array has')
  }
  return { type, shape, isFortran, ...given }
}

/** Protocol 2 has no bytes of its own: a text, to be encoded as latin1. */
function bytesIn(node: PickleNode | undefined): Pick<PickledArray, 'data' | 'isText'> | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  if (node.kind === 'bytes' || node.kind === 'bytearray' || node.kind === 'string') return { data: node, isText: false }
  if (node.kind !== 'call') return undefined
  const [text, encoding] = itemsOf(node.args) ?? []
  const name = globalName(node.callee) ?? ''
  if (name === '_codecs.encode' && typeof text === 'string' && /^latin-?1$/.test(textOf(encoding) ?? '')) {
    return { data: text, isText: true }
  }
  return /^(?:builtins|__builtin__)\.(?:bytes|bytearray)$/.test(name) ? bytesIn(text) : undefined
}

/** numpy.dtype(code, False, True) with the state (version, order, …); ml_dtypes gives its class in place of a code. */
function typeOf(node: PickleNode | undefined): ArrayType | null {
  if (typeof node !== 'object' || node?.kind !== 'call') return null
  const name = globalName(node.callee) ?? ''
  if (name !== 'numpy.dtype') return null
  const [code] = itemsOf(node.args) ?? []
  const order = textOf(itemsOf(node.states[0])?.[1]) ?? '<'
  const own = globalName(code)
  if (own !== undefined) return ownType(own)
  const text = textOf(code)
  return text === undefined ? null : arrayType(/^[<>|=]/.test(text) ? text : `${order}${text}`)
}

const bytesOfOwn = new Map([
  ['bfloat16', 2],
  ['float8_e4m3fn', 1],
  ['float8_e5m2', 1],
  ['float8_e4m3fnuz', 1],
  ['float8_e5m2fnuz', 1],
  ['float8_e8m0fnu', 1],
])

function ownType(name: string): ArrayType | null {
  const short = name.replace(/^ml_dtypes\./, '')
  const size = bytesOfOwn.get(short)
  return size === undefined || short === name ? null : { name: short, size, littleEndian: true }
}
