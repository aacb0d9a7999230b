/** From what Python wrote to what ckpt compares, shows and computes with. */
import { OpaqueValue, type Meta, type MetaValue } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import type { ComplexElement, NumericArray, NumericElement } from '../../formats/bytes/elements.js'
import { complexText, dateText, datetimeText, str } from '../../formats/python/text.js'
import type { NumpyScalar, PyObject, PyPair, PyValue } from '../../formats/python/value.js'

/**
 * A checkpoint's facts: numpy scalars and torch tensors of one element become numbers, keys what Python's str()
 * prints, dates ISO text, timedeltas seconds, bytes base64, tuples and sets lists, complex numbers Python's text,
 * arrays nested lists. Throws FormatError when the value is not a mapping.
 */
export function toMeta(value: PyValue): Meta {
  if (value === null) throw new FormatError('is empty')
  if (typeof value === 'object' && (value.kind === 'dict' || value.kind === 'ordereddict')) {
    return new Converter().map(value.pairs)
  }
  throw new FormatError(`holds ${describe(value)}, not key: value pairs`)
}

/** Any value likewise. */
export function toMetaValue(value: PyValue): MetaValue {
  return new Converter().value(value)
}

function describe(value: Exclude<PyValue, null>): string {
  if (typeof value === 'string') return 'a text'
  if (typeof value === 'boolean') return 'a boolean'
  if (typeof value !== 'object') return 'a number'
  if (value.kind === 'opaque') return `an object (${value.name})`
  return `${/^[aeiou]/.test(value.kind) ? 'an' : 'a'} ${value.kind}`
}

/** Keys of a meta, also of those nested in it. Real ones have a few, and hundreds where each class has its metric. */
export const mostKeys = 20_000
/** Characters of a key. Each comparison, column and message would cost its length. */
export const longestKey = 1000

/** Remembers what it has converted: shared values stay shared, so an alias costs nothing. */
class Converter {
  #known: Map<PyObject, MetaValue> | undefined
  #keys = 0

  map(pairs: readonly PyPair[]): Meta {
    this.#keys += pairs.length
    if (this.#keys > mostKeys) throw new FormatError(`has more than ${mostKeys} keys; at most that many are read`)
    const meta = new Map<string, MetaValue>()
    for (const [key, value] of pairs) {
      const text = str(key)
      if (text.length > longestKey) {
        throw new FormatError(`has a key of ${text.length} characters; at most ${longestKey} are read`)
      }
      meta.set(text, this.value(value))
    }
    return meta
  }

  value(value: PyValue): MetaValue {
    if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? narrow(value) : value
    if (value.kind === 'numpy') return element(value.value)
    const known = this.#known?.get(value)
    if (known !== undefined) return known
    const converted = this.#object(value)
    this.#known ??= new Map()
    this.#known.set(value, converted)
    return converted
  }

  #object(value: Exclude<PyObject, NumpyScalar>): MetaValue {
    switch (value.kind) {
      case 'list':
      case 'tuple':
      case 'set':
      case 'frozenset':
        return value.items.map((item) => this.value(item))
      case 'dict':
      case 'ordereddict':
        return this.map(value.pairs)
      case 'bytes':
        return base64(value.bytes)
      case 'date':
        return dateText(value)
      case 'datetime':
        return datetimeText(value)
      case 'timedelta':
        return value.days * 86_400 + value.seconds + value.microseconds / 1e6
      case 'complex':
        return complexText(value)
      case 'ndarray':
        return value.shape.length === 0 ? single(value, 'numpy.ndarray') : nested(value, 'numpy.ndarray')
      case 'tensor':
      case 'parameter':
        return value.values?.length === 1 ? single(value, 'torch.Tensor') : nested(value, 'torch.Tensor')
      case 'opaque':
        return new OpaqueValue(value.name, value.repr)
    }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function element(value: NumericElement): MetaValue {
  if (typeof value === 'bigint') return narrow(value)
  if (typeof value !== 'object') return value
  return value instanceof Uint8Array ? base64(value) : complexText(value satisfies ComplexElement)
}

function single(array: NumericArray, name: string): MetaValue {
  const value = array.values?.[0]
  return value === undefined ? summary(array, name) : element(value)
}

function nested(array: NumericArray, name: string): MetaValue {
  if (array.values === null || array.shape.length > maxNesting) return summary(array, name)
  if (array.values.length === 0 && array.shape.slice(0, -1).reduce((product, length) => product * length, 1) > 10_000) {
    return summary(array, name)
  }
  return nest(array.values, array.shape)
}

/** As many axes as numpy allows. */
const maxNesting = 64

function summary(array: NumericArray, name: string): OpaqueValue {
  return new OpaqueValue(name, `<${name} ${array.dtype} [${array.shape.join(', ')}]>`)
}

function nest(values: readonly NumericElement[], shape: readonly number[]): MetaValue {
  const [length = 0, ...inner] = shape
  if (inner.length === 0) return values.map(element)
  const step = values.length / Math.max(length, 1)
  return Array.from({ length }, (_, index) => nest(values.slice(index * step, (index + 1) * step), inner))
}
