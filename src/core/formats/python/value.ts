/**
 * What PyYAML gives back, as data. A Python int is a `bigint` and a Python float a `number`, so that 1 and 1.0
 * stay apart; str, bool and None are their plain selves; everything else has a kind.
 */
import type { NumericArray, NumericElement } from '../bytes/elements.js'

export type PyValue = null | boolean | bigint | number | string | PyObject

export type PyObject =
  | PySequence
  | PyDict
  | PyBytes
  | PyDate
  | PyDatetime
  | PyTimedelta
  | PyComplex
  | NumpyScalar
  | NumpyArray
  | TorchTensor
  | PyOpaque

export interface PySequence {
  readonly kind: 'list' | 'tuple' | 'set' | 'frozenset'
  readonly items: readonly PyValue[]
}

export type PyPair = readonly [key: PyValue, value: PyValue]

/** Keys are unique as Python sees them (1, 1.0 and True are one key), in insertion order. */
export interface PyDict {
  readonly kind: 'dict' | 'ordereddict'
  readonly pairs: readonly PyPair[]
}

export interface PyBytes {
  readonly kind: 'bytes'
  readonly bytes: Uint8Array
}

export interface PyDate {
  readonly kind: 'date'
  readonly year: number
  readonly month: number
  readonly day: number
}

export interface PyDatetime {
  readonly kind: 'datetime'
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  /** Minutes east of UTC; null for a time without a zone. */
  readonly offset: number | null
}

/** Normalised as Python does: 0 <= seconds < 86400, 0 <= microseconds < 1000000. */
export interface PyTimedelta {
  readonly kind: 'timedelta'
  readonly days: number
  readonly seconds: number
  readonly microseconds: number
}

export interface PyComplex {
  readonly kind: 'complex'
  readonly real: number
  readonly imaginary: number
}

/** A numpy scalar; dtype by numpy's name (`float64`, `bool`, `<U4`). */
export interface NumpyScalar {
  readonly kind: 'numpy'
  readonly dtype: string
  readonly value: NumericElement
}

/** A numpy array in row-major order. */
export interface NumpyArray extends NumericArray {
  readonly kind: 'ndarray'
}

/** A torch tensor, or a parameter around one, in row-major order; dtype by torch's name without `torch.`. */
export interface TorchTensor extends NumericArray {
  readonly kind: 'tensor' | 'parameter'
}

/** An object of a class that is not rebuilt. */
export interface PyOpaque {
  readonly kind: 'opaque'
  /** The class or function that Python would have called: `decimal.Decimal`; for other tags the tag itself. */
  readonly name: string
  /** As Python's repr shows it where that is known, else the name in angle brackets. */
  readonly repr: string
  /** As Python's str shows it; absent where that is the same. */
  readonly text?: string
}
