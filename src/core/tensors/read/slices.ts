/** Parts of a tensor's bytes, and the same values in another dtype: both as they are asked for, in bounded memory. */
import { bitsOf, type Dtype } from '../../formats/safetensors/safetensors.js'
import { createCast } from './cast.js'
import { isExtent, type TensorData } from './extent.js'
import { readerOf, type TensorReader } from './reader.js'

/** Bytes that are held of what is cut or cast. */
const bufferSize = 1 << 20

/** `length` bytes from `offset` on, which are whole elements. */
export function sliceOf(data: TensorData, offset: number, length: number): TensorData {
  if (isExtent(data)) return { ...data, position: data.position + offset, length }
  const read = async function* (wanted: number, chunk: number): AsyncGenerator<Uint8Array> {
    yield* taken(data, Math.min(bufferSize, chunk), wanted, async (reader) => reader.skip(offset))
  }
  return { length, read }
}

/** Numbers as torch casts them. Throws CkptError `refused` where it has no such cast. */
export function castTo(data: TensorData, from: Dtype, to: Dtype): TensorData {
  if (from === to) return data
  const [before, after] = [bitsOf[from] / 8, bitsOf[to] / 8]
  const read = async function* (wanted: number, chunk: number): AsyncGenerator<Uint8Array> {
    const count = Math.max(1, Math.floor(Math.min(bufferSize, chunk) / Math.max(before, after)))
    const cast = createCast(from, to, count)
    for await (const bytes of taken(data, count * before, (wanted / after) * before)) yield cast(bytes)
  }
  return { length: (data.length / before) * after, read }
}

async function* taken(
  data: TensorData,
  size: number,
  wanted: number,
  begin: (reader: TensorReader) => Promise<void> = async () => undefined,
): AsyncGenerator<Uint8Array> {
  const reader = readerOf(data, new Uint8Array(size))
  try {
    await begin(reader)
    for (let left = wanted; left > 0;) {
      const bytes = await reader.take(Math.min(size, left))
      left -= bytes.length
      yield bytes
    }
  } finally {
    await reader.close()
  }
}
