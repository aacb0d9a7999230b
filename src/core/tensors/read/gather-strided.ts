/** The elements of a strided view in row-major order, in bounded memory. */
import type { StorageBytes } from './storage-bytes.js'

/** Offset, shape and strides count elements; every element lies within the bytes. */
export interface StridedView {
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  /** Bytes of one element: 1, 2, 4, 8 or 16. */
  readonly itemSize: number
}

/** True when the elements lie together and in order; none at all do. */
export function isContiguous({ shape, strides }: StridedView): boolean {
  if (shape.includes(0)) return true
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const length = shape[axis] ?? 0
    if (length !== 1 && strides[axis] !== expected) return false
    expected *= length
  }
  return true
}

/** A span up to this size is read at once; of a longer one as many blocks are kept. */
const largestSpan = 1 << 26
const blockSize = 1 << 20

/** The first `length` bytes of the view, in chunks of at most `chunk` bytes but at least one element. */
export async function* gather(
  bytes: StorageBytes,
  view: StridedView,
  length: number,
  chunk: number,
): AsyncGenerator<Uint8Array> {
  const { itemSize } = view
  const axes = simplify(view)
  const inner = axes.pop() ?? { length: 1, stride: 1 }
  const out = new Uint8Array(Math.min(length, Math.max(1, Math.floor(chunk / itemSize)) * itemSize))
  const window = await openWindow(bytes, view)
  let filled = 0
  let left = length
  for (const start of starts(view.offset, axes)) {
    for (let done = 0; done < inner.length && left > 0;) {
      const room = Math.min(inner.length - done, (out.length - filled) / itemSize, left / itemSize)
      const at = (start + done * inner.stride) * itemSize
      const part = window.ready(at) ?? (await window.load(at))
      const fitting = Math.floor((part.bytes.length - part.from - itemSize) / (inner.stride * itemSize)) + 1
      const count = inner.stride === 0 ? room : Math.min(room, fitting)
      copyStrided(part.bytes, part.from, inner.stride * itemSize, out, filled, itemSize, count)
      filled += count * itemSize
      left -= count * itemSize
      done += count
      if (filled === out.length || left === 0) {
        yield out.subarray(0, filled)
        filled = 0
      }
    }
    if (left === 0) return
  }
}

interface Axis {
  readonly length: number
  readonly stride: number
}

/** Without axes of one element, and with those joined that lie one behind the other. */
function simplify({ shape, strides }: StridedView): Axis[] {
  const axes: Axis[] = []
  shape.forEach((length, index) => {
    if (length === 1) return
    const stride = strides[index] ?? 0
    const before = axes.at(-1)
    if (before?.stride === stride * length) {
      axes[axes.length - 1] = { length: before.length * length, stride }
    } else {
      axes.push({ length, stride })
    }
  })
  return axes
}

/** Where each run of the innermost axis begins, in elements. */
function* starts(offset: number, axes: readonly Axis[]): Generator<number> {
  const index = axes.map(() => 0)
  let at = offset
  for (;;) {
    yield at
    let axis = axes.length - 1
    for (; axis >= 0; axis -= 1) {
      const { length, stride } = axes[axis] ?? { length: 1, stride: 0 }
      const next = (index[axis] ?? 0) + 1
      if (next < length) {
        index[axis] = next
        at += stride
        break
      }
      index[axis] = 0
      at -= stride * (length - 1)
    }
    if (axis < 0) return
  }
}

interface Part {
  readonly bytes: Uint8Array
  /** Where in it the byte that was asked for lies. */
  readonly from: number
}

interface Window {
  /** The bytes from `at` of the storage on, when they are in memory. */
  ready(at: number): Part | undefined
  load(at: number): Promise<Part>
}

async function openWindow(bytes: StorageBytes, { offset, shape, strides, itemSize }: StridedView): Promise<Window> {
  const first = offset * itemSize
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * (strides[axis] ?? 0), offset)
  const span = (last + 1) * itemSize - first
  if (span > largestSpan) return new Blocks(bytes)
  const all = await bytes.read(first, span)
  const part = (at: number): Part => ({ bytes: all, from: at - first })
  return { ready: part, load: async (at) => part(at) }
}

/** Blocks of the storage; those used last stay. No element lies in two: its size divides a block's. */
class Blocks implements Window {
  private readonly blocks = new Map<number, Uint8Array>()

  constructor(private readonly bytes: StorageBytes) {}

  ready(at: number): Part | undefined {
    const bytes = this.blocks.get(Math.floor(at / blockSize))
    return bytes === undefined ? undefined : { bytes, from: at % blockSize }
  }

  async load(at: number): Promise<Part> {
    const number = Math.floor(at / blockSize)
    const start = number * blockSize
    const bytes = await this.bytes.read(start, Math.min(blockSize, this.bytes.length - start))
    const [oldest] = this.blocks.keys()
    if (oldest !== undefined && this.blocks.size >= largestSpan / blockSize) this.blocks.delete(oldest)
    this.blocks.set(number, bytes)
    return { bytes, from: at - start }
  }
}

function copyStrided(
  source: Uint8Array,
  from: number,
  step: number,
  into: Uint8Array,
  to: number,
  itemSize: number,
  count: number,
): void {
  if (step === itemSize) {
    into.set(source.subarray(from, from + count * itemSize), to)
    return
  }
  const width = itemSize >= 4 ? 4 : itemSize
  const isAligned = (source.byteOffset + from) % width === 0 && (into.byteOffset + to) % width === 0
  if (!isAligned) {
    copyItems(source, from, step, into, to, itemSize, count)
    return
  }
  const words = wordsOf(source.subarray(from), width)
  const output = wordsOf(into.subarray(to, to + count * itemSize), width)
  copyItems(words, 0, step / width, output, 0, itemSize / width, count)
}

type Words = Uint8Array | Uint16Array | Uint32Array

function wordsOf({ buffer, byteOffset, length }: Uint8Array, width: number): Words {
  if (width === 4) return new Uint32Array(buffer, byteOffset, Math.floor(length / 4))
  return width === 2
    ? new Uint16Array(buffer, byteOffset, Math.floor(length / 2))
    : new Uint8Array(buffer, byteOffset, length)
}

/** Offsets, step and size count words. */
function copyItems(
  source: Words,
  from: number,
  step: number,
  into: Words,
  to: number,
  size: number,
  count: number,
): void {
  for (let item = 0, at = from, put = to; item < count; item += 1, at += step, put += size) {
    for (let word = 0; word < size; word += 1) into[put + word] = source[at + word] ?? 0
  }
}
