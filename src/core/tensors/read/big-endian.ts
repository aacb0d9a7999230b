/** Numbers that a file has with their highest byte first, turned round on the way. */
import { chunksOf, type TensorData, type TensorStream } from './extent.js'

/** `size` is the bytes of one number: a complex element has two. */
export function turned(data: TensorData, size: number): TensorData {
  if (size === 1) return data
  const read = (length: number, chunk: number): AsyncGenerator<Uint8Array> =>
    turnRound(firstChunks(data, length, chunk), size)
  const stream: TensorStream = { length: data.length, read }
  return stream
}

function firstChunks(data: TensorData, length: number, chunk: number): AsyncGenerator<Uint8Array> {
  return 'handle' in data ? chunksOf({ ...data, length }, chunk) : data.read(length, chunk)
}

async function* turnRound(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    const bytes = new Uint8Array(rest.length + chunk.length)
    bytes.set(rest)
    bytes.set(chunk, rest.length)
    const whole = bytes.length - (bytes.length % size)
    rest = bytes.slice(whole)
    reverseBytes(bytes.subarray(0, whole), size)
    if (whole > 0) yield bytes.subarray(0, whole)
  }
}

function reverseBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (size === 2) buffer.swap16()
  else if (size === 4) buffer.swap32()
  else if (size === 8) buffer.swap64()
  else for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse()
}
