/** What every tensor format is read as. Reading one touches its header only; data comes as extents of bytes. */
import { FormatError } from '../errors.js'
import type { Dtype, Shape } from '../formats/safetensors.js'
import type { ReadHandle } from '../storage/storage.js'

export type { Dtype, Shape } from '../formats/safetensors.js'

export interface TensorInfo {
  readonly name: string
  readonly dtype: Dtype
  /** A dimension beyond 2^53 is a bigint; only a tensor without elements can have one. */
  readonly shape: Shape
  /** Bytes of all elements, row-major, without gaps. */
  readonly bytes: number
}

/** Bytes that lie together in an open file. */
export interface Extent {
  readonly handle: ReadHandle
  /** Bytes from the start of the file. */
  readonly position: number
  /** Bytes. */
  readonly length: number
}

/** An open file of tensors. It holds its file open, so that a rename over its path changes nothing. Close it. */
export interface TensorFile {
  /** Id of the format, `safetensors`. */
  readonly format: string
  /** Absolute. */
  readonly path: string
  /** Bytes of the file. */
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their data; names are unique. */
  readonly tensors: readonly TensorInfo[]
  /** What is odd about the file, and no damage: a name given twice. */
  readonly findings: readonly string[]
  /** What stands before the first tensor in a safetensors file with these tensors in this order. */
  readonly head: Extent
  /** Where a tensor's elements lie, row-major. The tensor is one of this file's. */
  extentOf(tensor: TensorInfo): Extent
  /** Throws CkptError when the file is not what it was when it was opened. */
  ensureUnchanged(): Promise<void>
  close(): Promise<void>
}

/** A shape for JSON, whose readers would round a dimension beyond 2^53: that one is text. */
export function plainShape(shape: Shape): (number | string)[] {
  return shape.map((dim) => (typeof dim === 'number' ? dim : dim.toString()))
}

/** A tensor's bytes in chunks of at most `chunk` bytes. Each is valid until the next is asked for. */
export async function* chunksOf(extent: Extent, chunk = 1 << 20): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(chunk, extent.length))
  for (let done = 0; done < extent.length;) {
    const part = buffer.subarray(0, Math.min(chunk, extent.length - done))
    await readExactly(extent.handle, part, extent.position + done)
    yield part
    done += part.length
  }
}

/** Fills `into`; throws FormatError when the file ends before. */
export async function readExactly(handle: ReadHandle, into: Uint8Array, position: number): Promise<void> {
  const count = await handle.read(into, position)
  if (count < into.length) throw endsEarly(handle, position + count, position + into.length)
}

function endsEarly(handle: ReadHandle, at: number, wanted: number): FormatError {
  return new FormatError(
    `${handle.path}: ends at byte ${at} while ${wanted} were expected; it was cut off while it was read`,
    {
      offset: at,
    },
  )
}
