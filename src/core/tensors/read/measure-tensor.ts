/** What one pass over a tensor's bytes tells: its SHA-256, and what its numbers are like. */
import { createHash } from 'node:crypto'
import { CkptError } from '../../errors.js'
import { isDtype } from '../../formats/safetensors/safetensors.js'
import { canCast, createCast } from './cast.js'
import { chunksOf } from './tensor.js'
import type { TensorData } from './tensor.js'
import { bytesBetweenYields } from '../../storage/yield-to-events.js'

export interface TensorStats {
  /** Of all numbers but NaN; null when there is none. */
  readonly min: number | null
  readonly max: number | null
  /** Of the finite numbers; null when there is none. */
  readonly mean: number | null
  /** Of the finite numbers, with n - 1 as torch.std has it; null for fewer than two. */
  readonly std: number | null
  readonly nan: number
  readonly infinite: number
}

export interface Measured {
  readonly sha256?: string
  /** Null for dtypes that are not plain numbers: complex, quantised, narrower than a byte. */
  readonly stats?: TensorStats | null
}

export interface MeasureOptions {
  readonly hash: boolean
  readonly stats: boolean
  /** Gets the count of bytes read since the last call. */
  readonly onBytes?: (count: number) => void
  readonly signal?: AbortSignal
}

const chunk = 1 << 20
/** Reads all of a tensor in bounded memory. Throws CkptError `interrupted`, and what reading throws. */
export async function measureTensor(data: TensorData, dtype: string, options: MeasureOptions): Promise<Measured> {
  const hash = options.hash ? createHash('sha256') : null
  const numbers = options.stats ? numbersOf(dtype, data.length) : null
  const sums = new Sums()
  let sinceYield = 0
  for await (const bytes of chunksOf(data, chunk)) {
    hash?.update(bytes)
    if (numbers !== null) for (const values of numbers(bytes)) sums.add(values)
    options.onBytes?.(bytes.length)
    sinceYield += bytes.length
    if (sinceYield >= bytesBetweenYields) {
      sinceYield = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
  }
  return {
    ...(hash === null ? {} : { sha256: hash.digest('hex') }),
    ...(options.stats ? { stats: numbers === null ? null : sums.stats() } : {}),
  }
}

const capacity = 1 << 17

/** Turns chunks of that many bytes in all into doubles; null for dtypes that are not plain numbers. */
function numbersOf(dtype: string, length: number): ((bytes: Uint8Array) => Generator<Float64Array>) | null {
  if (!isDtype(dtype) || dtype.startsWith('C') || !canCast(dtype, 'F64') || !canCast(dtype, 'U8')) return null
  const stride = bytesFor(dtype)
  // A file may have a hundred thousand tensors of a few bytes each.
  const cast = createCast(dtype, 'F64', Math.ceil(capacity * Math.min(1, length / stride)))
  return function* (bytes) {
    for (let at = 0; at < bytes.length; at += stride) {
      const doubles = cast(bytes.subarray(at, at + stride))
      yield new Float64Array(doubles.buffer, doubles.byteOffset, doubles.length / 8)
    }
  }
}

/** Bytes of as many elements as one cast takes. */
function bytesFor(dtype: string): number {
  const bits = Number(/\d+/.exec(dtype)?.[0] ?? 8)
  return (capacity * (dtype === 'BOOL' || dtype.startsWith('F8') ? 8 : bits)) / 8
}

/** Running moments; parts are joined as Chan, Golub and LeVeque do, so that nothing is lost in long sums. */
class Sums {
  private count = 0
  private mean = 0
  private squares = 0
  private min = Infinity
  private max = -Infinity
  private nan = 0
  private infinite = 0

  add(values: Float64Array): void {
    let count = 0
    let sum = 0
    for (const value of values) {
      if (value !== value) {
        this.nan += 1
        continue
      }
      if (value < this.min) this.min = value
      if (value > this.max) this.max = value
      if (value === Infinity || value === -Infinity) {
        this.infinite += 1
        continue
      }
      count += 1
      sum += value
    }
    if (count > 0) this.join(count, sum / count, values)
  }

  private join(count: number, mean: number, values: Float64Array): void {
    let squares = 0
    for (const value of values) if (value - value === 0) squares += (value - mean) ** 2
    const total = this.count + count
    const delta = mean - this.mean
    this.squares += squares + (delta * delta * this.count * count) / total
    this.mean += (delta * count) / total
    this.count = total
  }

  stats(): TensorStats {
    const { count, min, max, nan, infinite } = this
    const any = count + infinite > 0
    return {
      min: any ? min : null,
      max: any ? max : null,
      mean: count > 0 ? this.mean : null,
      std: count > 1 ? Math.sqrt(this.squares / (count - 1)) : null,
      nan,
      infinite,
    }
  }
}
