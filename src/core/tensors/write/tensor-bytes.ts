/** The ways in which a tensor's bytes are made. */
import { FormatError } from '../../errors.js'
import { bitsOf, type Dtype } from '../../formats/safetensors/safetensors.js'
import type { CastLosses } from '../read/cast-losses.js'
import { createCast } from '../read/cast.js'
import { readerOf } from '../read/reader.js'
import { chunksOf, isExtent, type TensorData, type TensorPart } from '../read/tensor.js'
import type { Sink } from './sink.js'

/** Bit for bit. */
export async function writeAsIs(data: TensorData, sink: Sink): Promise<void> {
  if (isExtent(data)) return sink.copy(data)
  if (data.parts !== undefined) {
    for (const part of data.parts) await writePart(part, sink)
    return
  }
  let done = 0
  for await (const chunk of chunksOf(data)) {
    done += chunk.length
    await sink.write(chunk)
  }
  // Too little would shift all that comes behind it.
  if (done !== data.length) throw new FormatError(`a tensor gave ${done} of its ${data.length} bytes`)
}

async function writePart(part: TensorPart, sink: Sink): Promise<void> {
  const data = await part.open()
  if (data.length !== part.length) throw new FormatError(`a piece has ${data.length} and not ${part.length} bytes`)
  await writeAsIs(data, sink)
}

/** Elements per cast. */
const castStride = 1 << 17

/** As torch casts; what that loses is added to `losses`. */
export async function writeCast(
  data: TensorData,
  from: Dtype,
  to: Dtype,
  sink: Sink,
  losses?: CastLosses,
): Promise<void> {
  const bytesEach = bitsOf[from] / 8
  const stride = Math.min(castStride * bytesEach, data.length)
  const convert = createCast(from, to, stride / bytesEach, losses)
  const reader = readerOf(data, new Uint8Array(stride))
  try {
    for (let done = 0; done < data.length; done += stride) {
      await sink.write(convert(await reader.take(Math.min(stride, data.length - done))))
    }
  } finally {
    await reader.close()
  }
}
