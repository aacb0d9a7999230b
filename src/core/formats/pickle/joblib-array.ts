/**
 * Arrays in what joblib dumps: behind the state of an array's wrapper lie its bytes, in the middle of the pickle, or a
 * pickle of its own for an array of objects (joblib/numpy_pickle.py, `NumpyArrayWrapper.read_array`).
 */
import {
  countOf,
  globalName,
  itemsOf,
  textOf,
  type PickleGlobal,
  type PickleInstance,
  type PickleNode,
} from './nodes.js'

/** What lies behind a wrapper's state. */
export type JoblibArray =
  | { readonly holds: 'pickle' }
  | {
      readonly holds: 'bytes'
      readonly length: number
      /** One byte says how many follow it before the array's own. */
      readonly isPadded: boolean
    }

/** Old versions of scikit-learn have a joblib of their own. */
const ownModule = /(?:^|\.)joblib\.numpy_pickle$/

/** True where joblib would read the pickle in its own way. */
export function isOfJoblib(globals: readonly PickleGlobal[]): boolean {
  return globals.some(({ module, name }) => /joblib|numpy_pickle/.test(`${module}.${name}`))
}

/**
 * What lies behind the state that an object was just given; null where it is no wrapper of an array, and undefined where
 * that or the length cannot be told.
 */
export function joblibArray({ callee, args, states }: PickleInstance): JoblibArray | null | undefined {
  if (typeof callee !== 'object' || callee?.kind !== 'global') return undefined
  // Up to protocol 1 objects are made by a function that is given their class.
  const isMade = isWrapper(/^copy_?reg\._reconstructor$/.test(globalName(callee) ?? '') ? itemsOf(args)?.[0] : callee)
  if (!isMade) return [callee, ...(itemsOf(args) ?? [])].some(mayBeWrapper) ? undefined : null
  const [state] = states
  if (states.length !== 1 || typeof state !== 'object' || state?.kind !== 'dict') return undefined
  const values = new Map(state.entries.map(([key, value]) => [textOf(key), value]))
  const size = itemSize(values.get('dtype'))
  const count =
    itemsOf(values.get('shape'))?.reduce<number>((product, length) => product * (countOf(length) ?? NaN), 1) ?? NaN
  if (size === undefined || Number.isNaN(count) || values.has(undefined)) return undefined
  if (size === 'objects') return { holds: 'pickle' }
  const isPadded = (values.get('numpy_array_alignment_bytes') ?? null) !== null
  return { holds: 'bytes', length: size * count, isPadded }
}

function isWrapper(node: PickleNode | undefined): boolean {
  if (typeof node !== 'object' || node?.kind !== 'global') return false
  return ownModule.test(node.module) && node.name === 'NumpyArrayWrapper'
}

function mayBeWrapper(node: PickleNode): boolean {
  return /numpy_?(?:pickle|array_?wrapper)/i.test(globalName(node) ?? '')
}

/**
 * Bytes of an element: numpy.dtype('f8', False, True) with the state (version, order, subarray, names, fields, size,
 * alignment, flags). Undefined for what no array has (numpy/_core/src/multiarray/descriptor.c, `arraydescr_setstate`).
 */
function itemSize(node: PickleNode | undefined): number | 'objects' | undefined {
  if (typeof node !== 'object' || node?.kind !== 'call' || globalName(node.callee) !== 'numpy.dtype') return undefined
  const [code] = itemsOf(node.args) ?? []
  const [, kind = '', size = ''] = /^([biufcmMSUVO])(\d{1,9})$/.exec(textOf(code) ?? '') ?? []
  const [version, , subarray, , , given, , flags] = itemsOf(node.states[0]) ?? []
  if (kind === '' || node.states.length !== 1 || (version !== 3n && version !== 4n) || subarray !== null)
    return undefined
  if (typeof flags !== 'bigint') return undefined
  if (kind === 'O' || (flags & hasObjects) !== 0n) return 'objects'
  return 'SUV'.includes(kind) ? countOf(given) : Number(size)
}

/** NPY_ITEM_HASOBJECT. */
const hasObjects = 1n
