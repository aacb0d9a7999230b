/** Tensors that differ in the length of one axis, as embeddings do when a vocabulary grows or shrinks. */
import { bitsOf, type Dtype, type Shape } from '../../formats/safetensors/safetensors.js'
import type { Sink } from '../write/index.js'
import type { CastLosses } from '../read/cast-losses.js'
import { createCast } from '../read/cast.js'
import { readerOf, type TensorReader } from '../read/reader.js'
import type { TensorData } from '../read/tensor.js'

/** `slice`: the source is longer, and its first rows are taken. `pad`: it is shorter, and the target's last rows stay. */
export type ResizeKind = 'slice' | 'pad'

export interface Resize {
  readonly kind: ResizeKind
  readonly axis: number
  /** Length of the axis in the source and in the target. */
  readonly source: number
  readonly target: number
}

/** What is to be done, when it is among `kinds` and the shapes differ in one axis; else undefined. */
export function resizeBetween(source: Shape, target: Shape, kinds: ReadonlySet<ResizeKind>): Resize | undefined {
  if (source.length !== target.length) return undefined
  const axes = source.flatMap((length, axis) => (length === target[axis] ? [] : [axis]))
  const axis = axes[0] ?? 0
  const from = source[axis]
  const to = target[axis]
  if (axes.length !== 1 || typeof from !== 'number' || typeof to !== 'number' || from === 0 || to === 0)
    return undefined
  const kind = from > to ? 'slice' : 'pad'
  return kinds.has(kind) ? { kind, axis, source: from, target: to } : undefined
}

export interface Side {
  readonly data: TensorData
  readonly dtype: Dtype
}

/** Bytes read at once of each side. */
const blockSize = 1 << 20

/** The target's shape in the dtype `to`: the source's values as far as they reach, then the target's own. */
export async function writeResized(
  source: Side,
  target: Side,
  { axis, ...lengths }: Resize,
  shape: Shape,
  to: Dtype,
  sink: Sink,
  losses?: CastLosses,
): Promise<void> {
  const outer = product(shape.slice(0, axis))
  const inner = product(shape.slice(axis + 1))
  const taken = Math.min(lengths.source, lengths.target) * inner
  const from = openSide(source, to, losses)
  const own = openSide(target, to, losses)
  try {
    for (let row = 0; row < outer; row += 1) {
      await from.writeTo(taken, sink)
      await from.skip(lengths.source * inner - taken)
      await own.skip(taken)
      await own.writeTo(lengths.target * inner - taken, sink)
    }
  } finally {
    await from.close()
    await own.close()
  }
}

function product(shape: Shape): number {
  return shape.reduce<number>((sum, length) => sum * Number(length), 1)
}

interface OpenSide {
  /** Counts are elements. */
  writeTo(count: number, sink: Sink): Promise<void>
  skip(count: number): Promise<void>
  close(): Promise<void>
}

function openSide({ data, dtype }: Side, to: Dtype, losses?: CastLosses): OpenSide {
  const size = bitsOf[dtype] / 8
  const reader: TensorReader = readerOf(data, new Uint8Array(Math.min(blockSize, data.length)))
  const most = blockSize / 8
  const convert = dtype === to ? undefined : createCast(dtype, to, Math.min(most, data.length / size), losses)
  return {
    async writeTo(count, sink) {
      for (let done = 0; done < count; done += most) {
        const bytes = await reader.take(Math.min(most, count - done) * size)
        await sink.write(convert === undefined ? bytes : convert(bytes))
      }
    },
    skip: (count) => reader.skip(count * size),
    close: () => reader.close(),
  }
}
