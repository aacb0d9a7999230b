/** A tensor that lies in boxes, as the processes that shared it wrote them: row-major again, in bounded memory. */
import { joinParts, type TensorData } from './extent.js'
import { readerOf, type TensorReader } from './reader.js'

/** A part of a tensor along each of its axes. Offsets and sizes count elements. */
export interface Box {
  readonly offsets: readonly number[]
  readonly sizes: readonly number[]
}

/** A box and its elements, row-major; opened when they are needed. */
export interface FilledBox extends Box {
  open(): Promise<TensorData>
}

/** Comparisons of two boxes; a grid of two thousand columns needs as many. */
const mostComparisons = 1 << 24

/** What keeps the boxes from being each element of the shape once; undefined where nothing does. */
export function findUntiled(shape: readonly number[], boxes: readonly Box[]): string | undefined {
  const whole = countOf(shape)
  let filled = 0
  for (const { offsets, sizes } of boxes) {
    if (sizes.some((size, axis) => (offsets[axis] ?? 0) + size > (shape[axis] ?? 0))) {
      return `a piece at [${offsets.join(', ')}] of [${sizes.join(', ')}] reaches outside of [${shape.join(', ')}]`
    }
    filled += countOf(sizes)
  }
  if (filled < whole) return `its ${boxes.length} pieces have ${filled} of its ${whole} elements`
  return findOverlap(boxes) ?? (filled > whole ? `its pieces have ${filled} elements, and it has ${whole}` : undefined)
}

/** Along the first axis: only boxes that are open there at the same time can meet. */
function findOverlap(boxes: readonly Box[]): string | undefined {
  const sorted = boxes
    .filter(({ sizes }) => countOf(sizes) > 0)
    .sort((a, b) => (a.offsets[0] ?? 0) - (b.offsets[0] ?? 0))
  let comparisons = 0
  let open: Box[] = []
  for (const box of sorted) {
    const first = box.offsets[0] ?? 0
    open = open.filter((other) => (other.offsets[0] ?? 0) + (other.sizes[0] ?? 1) > first)
    comparisons += open.length
    if (comparisons > mostComparisons) return `its ${boxes.length} pieces lie in too many ways beside one another`
    const met = open.find((other) => meet(other, box))
    if (met !== undefined) return `its pieces at [${met.offsets.join(', ')}] and [${box.offsets.join(', ')}] overlap`
    open.push(box)
  }
  return undefined
}

function meet(a: Box, b: Box): boolean {
  return a.sizes.every((size, axis) => {
    const [from = 0, to = 0] = [a.offsets[axis], b.offsets[axis]]
    return from < to + (b.sizes[axis] ?? 0) && to < from + size
  })
}

export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** The elements of all boxes in the order of the whole. The boxes tile the shape (see `findUntiled`). */
export function joinBoxes(shape: readonly number[], itemSize: number, boxes: readonly FilledBox[]): TensorData {
  const length = countOf(shape) * itemSize
  const filled = boxes.filter(({ sizes }) => countOf(sizes) > 0)
  const runs = filled.map((box) => new BoxRun(shape, itemSize, box)).sort((a, b) => a.start - b.start)
  if (runs.every(({ isTogether }) => isTogether)) {
    return joinParts(runs.map(({ box }) => ({ length: countOf(box.sizes) * itemSize, open: () => box.open() })))
  }
  return { length, read: (wanted, chunk) => interleave(runs, itemSize, wanted, chunk) }
}

/** Where a box's elements come to lie in the whole. Going through a box in its own order goes forwards in the whole. */
class BoxRun {
  /** Of its first element in the whole, and one behind its last. */
  readonly start: number
  readonly end: number
  /** Elements that lie together, in the box as in the whole. */
  readonly run: number
  /** Its elements lie together in the whole. */
  readonly isTogether: boolean
  private readonly axes: readonly { readonly size: number; readonly stride: number }[]

  constructor(
    shape: readonly number[],
    readonly itemSize: number,
    readonly box: FilledBox,
  ) {
    const { offsets, sizes } = box
    const strides = stridesOf(shape)
    this.start = offsets.reduce((sum, offset, axis) => sum + offset * (strides[axis] ?? 0), 0)
    this.end = 1 + sizes.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), this.start)
    let inner = sizes.length
    let run = 1
    // The innermost axes that the box has in full, and one that it has a part of.
    for (let isFull = true; isFull && inner > 0;) {
      inner -= 1
      run *= sizes[inner] ?? 1
      isFull = sizes[inner] === shape[inner]
    }
    this.run = run
    this.axes = sizes.slice(0, inner).map((size, axis) => ({ size, stride: strides[axis] ?? 0 }))
    this.isTogether = this.axes.every(({ size }) => size === 1)
  }

  /** Where the run of this number begins in the whole. */
  startOf(number: number): number {
    let left = number
    let at = this.start
    for (let axis = this.axes.length - 1; axis >= 0; axis -= 1) {
      const { size, stride } = this.axes[axis] ?? { size: 1, stride: 0 }
      at += (left % size) * stride
      left = Math.floor(left / size)
    }
    return at
  }
}

function stridesOf(shape: readonly number[]): number[] {
  const strides: number[] = []
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    strides[axis] = stride
    stride *= shape[axis] ?? 1
  }
  return strides
}

/** Bytes of all boxes that are read from at the same time. */
const buffers = 1 << 25
const leastBuffer = 1 << 12

/** Each box is read once, from its first byte to its last. */
async function* interleave(
  runs: readonly BoxRun[],
  itemSize: number,
  wanted: number,
  chunk: number,
): AsyncGenerator<Uint8Array> {
  const out = new Uint8Array(Math.min(wanted, Math.max(1, Math.floor(chunk / itemSize)) * itemSize))
  const waiting = [...runs]
  const bufferSize = Math.max(leastBuffer, Math.min(1 << 20, Math.floor(buffers / mostAtOnce(runs))))
  let open: OpenBox[] = []
  try {
    for (let from = 0; from < wanted; from += out.length) {
      const until = Math.min(from + out.length, wanted)
      while (waiting[0] !== undefined && waiting[0].start * itemSize < until) {
        const box = waiting.shift()
        if (box !== undefined) open.push(await openBox(box, bufferSize))
      }
      for (const box of open) await box.fill(out, from / itemSize, until / itemSize)
      for (const box of open.filter(({ isDone }) => isDone)) await box.close()
      open = open.filter(({ isDone }) => !isDone)
      yield out.subarray(0, until - from)
    }
  } finally {
    for (const box of open) await box.close()
  }
}

/** Boxes that are open at the same place of the whole. They are sorted by their starts. */
function mostAtOnce(runs: readonly BoxRun[]): number {
  const ends = runs.map(({ end }) => end).sort((a, b) => a - b)
  let most = 1
  let closed = 0
  for (const [opened, { start }] of runs.entries()) {
    while ((ends[closed] ?? Infinity) <= start) closed += 1
    most = Math.max(most, opened + 1 - closed)
  }
  return most
}

async function openBox(run: BoxRun, bufferSize: number): Promise<OpenBox> {
  const data = await run.box.open()
  return new OpenBox(run, readerOf(data, new Uint8Array(Math.min(bufferSize, data.length))), bufferSize)
}

class OpenBox {
  /** Runs that were given whole, and elements of the next one. */
  private runs = 0
  private within = 0
  private readonly count: number

  constructor(
    private readonly box: BoxRun,
    private readonly reader: TensorReader,
    private readonly bufferSize: number,
  ) {
    this.count = countOf(box.box.sizes) / box.run
  }

  get isDone(): boolean {
    return this.runs >= this.count
  }

  /** Puts the elements that lie in [from, until) of the whole to their places. */
  async fill(out: Uint8Array, from: number, until: number): Promise<void> {
    const { itemSize, run } = this.box
    const most = Math.floor(this.bufferSize / itemSize)
    while (!this.isDone) {
      const at = this.box.startOf(this.runs) + this.within
      if (at >= until) return
      const count = Math.min(run - this.within, until - at, most)
      out.set(await this.reader.take(count * itemSize), (at - from) * itemSize)
      this.within += count
      if (this.within < run) continue
      this.within = 0
      this.runs += 1
    }
  }

  async close(): Promise<void> {
    await this.reader.close()
  }
}
