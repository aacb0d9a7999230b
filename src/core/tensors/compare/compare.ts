/** What differs between two files of tensors. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype } from '../../formats/safetensors/safetensors.js'
import { readerOf } from '../read/reader.js'
import { canCast } from '../read/cast.js'
import { plainShape, type TensorFile, type TensorInfo } from '../read/tensor.js'
import { createDistanceMeter, type Distance } from './kernel.js'
import { bytesBetweenYields } from '../../storage/yield-to-events.js'

/** The two tensors of one name. */
export interface Both {
  readonly a: TensorInfo
  readonly b: TensorInfo
}

export interface Comparison {
  /** In the second file only. */
  readonly added: readonly TensorInfo[]
  /** In the first file only. */
  readonly removed: readonly TensorInfo[]
  /** In both, with different shapes. */
  readonly reshaped: readonly Both[]
  /** In both, of one shape, with different dtypes. */
  readonly recast: readonly Both[]
  /** In both, of one shape and dtype. */
  readonly alike: readonly Both[]
}

/** Names to be compared. */
export interface NamesCompared {
  readonly isWanted?: (name: string) => boolean
  /** Of both files: what a name counts as, unless its own file has another tensor of that name. */
  readonly rename?: (name: string) => string
}

/** By names, from the headers alone. Everything in the order of the first file, but what is only in the second. */
export function compareTensors(a: TensorFile, b: TensorFile, names: NamesCompared = {}): Comparison {
  const ours = tensorsByName(a, names)
  const theirs = tensorsByName(b, names)
  const both = [...ours].flatMap(([name, tensor]): Both[] => {
    const other = theirs.get(name)
    return other === undefined ? [] : [{ a: tensor, b: other }]
  })
  const ofOneShape = both.filter(isOfOneShape)
  return {
    added: [...theirs].flatMap(([name, tensor]) => (ours.has(name) ? [] : [tensor])),
    removed: [...ours].flatMap(([name, tensor]) => (theirs.has(name) ? [] : [tensor])),
    reshaped: both.filter((pair) => !isOfOneShape(pair)),
    recast: ofOneShape.filter((pair) => pair.a.dtype !== pair.b.dtype),
    alike: ofOneShape.filter((pair) => pair.a.dtype === pair.b.dtype),
  }
}

/** In the order of the file. */
function tensorsByName({ tensors }: TensorFile, { isWanted, rename }: NamesCompared): Map<string, TensorInfo> {
  const wanted = isWanted === undefined ? tensors : tensors.filter(({ name }) => isWanted(name))
  if (rename === undefined) return new Map(wanted.map((tensor) => [tensor.name, tensor]))
  const own = new Set(wanted.map(({ name }) => name))
  const found = new Map<string, TensorInfo>()
  for (const tensor of wanted) {
    const name = rename(tensor.name)
    found.set(own.has(name) || found.has(name) ? tensor.name : name, tensor)
  }
  return found
}

function isOfOneShape({ a, b }: Both): boolean {
  return plainShape(a.shape).join() === plainShape(b.shape).join()
}

export interface CompareOptions {
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

export interface Measured extends Both {
  readonly distance: Distance
}

/** Bytes of each side in memory. */
const chunkBytes = 1 << 20
/** The most bytes that an element has. */
const widest = 8
/**
 * The distances of the pairs whose values can be compared: of one shape, in dtypes that are numbers. Throws CkptError
 * as reading does, and `interrupted`.
 */
export async function measureValues(
  a: TensorFile,
  b: TensorFile,
  pairs: readonly Both[],
  options: CompareOptions = {},
): Promise<Measured[]> {
  const total = pairs.reduce((sum, pair) => sum + pair.a.bytes, 0)
  const buffers = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)] as const
  const measured: Measured[] = []
  let done = 0
  let sinceYield = 0
  const advance = async (bytes: number): Promise<void> => {
    done += bytes
    sinceYield += bytes
    options.onProgress?.(done, total)
    if (sinceYield < bytesBetweenYields) return
    sinceYield = 0
    await new Promise((resolve) => setImmediate(resolve))
    if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
  }
  for (const pair of pairs) {
    if (!isComparable(pair)) continue
    measured.push({ ...pair, distance: await distanceOf(a, b, pair, buffers, advance) })
  }
  await a.ensureUnchanged()
  await b.ensureUnchanged()
  return measured
}

export function isComparable({ a, b }: Both): boolean {
  return canCast(a.dtype, 'F64') && canCast(b.dtype, 'F64') && (a.dtype === 'C64') === (b.dtype === 'C64')
}

async function distanceOf(
  fileA: TensorFile,
  fileB: TensorFile,
  { a, b }: Both,
  [bufferA, bufferB]: readonly [Uint8Array, Uint8Array],
  advance: (bytes: number) => Promise<void>,
): Promise<Distance> {
  if (!isDtype(a.dtype) || !isDtype(b.dtype)) throw new RangeError(`${a.name} cannot be compared`)
  const [sizeA, sizeB] = [bitsOf[a.dtype] / 8, bitsOf[b.dtype] / 8]
  // No more than there is: a file may have a hundred thousand tensors of a few bytes each.
  const stride = Math.min(chunkBytes / widest, a.bytes / sizeA)
  const meter = createDistanceMeter(a.dtype, b.dtype, stride)
  const readerA = readerOf(await fileA.dataOf(a), bufferA)
  const readerB = readerOf(await fileB.dataOf(b), bufferB)
  try {
    for (let left = a.bytes / sizeA; left > 0; left -= stride) {
      const count = Math.min(stride, left)
      meter.add(await readerA.take(count * sizeA), await readerB.take(count * sizeB))
      await advance(count * sizeA)
    }
  } finally {
    await readerA.close()
    await readerB.close()
  }
  return meter.finish()
}
