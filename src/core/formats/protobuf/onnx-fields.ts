/**
 * Whether an ONNX file ends where its fields do, and what other files its weights lie in: a ModelProto is fields in a row, with no length of its own
 * (onnx/onnx.proto; protobuf.dev/programming-guides/encoding). Of weights nothing but tags and lengths is read.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../bytes/byte-source.js'
import { fieldsOf, readCount } from './protobuf.js'

/** Fields of ModelProto, which its writers give no others than. */
const mostField = 25
const graphField = 7
/** Bytes of a tag and a length at most. */
const longestTag = 20
/** Nodes and weights of a graph that are gone through. */
const mostFields = 5_000_000

const initializerField = 5
const externalDataField = 13
/** Bytes of a key and its value at most. */
const longestEntry = 1 << 16

/**
 * Gives the files beside it that weights of the graph lie in (TensorProto's `external_data`), each with the bytes that it
 * needs at least. Throws FormatError where a field reaches beyond what holds it.
 */
export async function checkOnnx(file: ByteSource): Promise<ReadonlyMap<string, number>> {
  const source = inBlocks(file)
  const needed = new Map<string, number>()
  let graphs = 0
  for await (const { field, start, end } of fieldsIn(source, 0, source.byteLength)) {
    if (field > mostField) throw new FormatError(`field ${field}, which no ONNX model has`, { offset: start })
    if (field !== graphField) continue
    graphs += 1
    for await (const inner of fieldsIn(source, start, end)) {
      if (inner.field !== initializerField) continue
      const external = await externalRange(source, inner)
      if (external !== null) needed.set(external.file, Math.max(external.end, needed.get(external.file) ?? 0))
    }
  }
  if (graphs === 0) throw new FormatError(`no graph in its ${source.byteLength} bytes, as an ONNX model has`)
  return needed
}

/** Where a weight lies that the file itself does not hold; null for one that it holds. */
async function externalRange(source: ByteSource, weight: FieldRange): Promise<{ file: string; end: number } | null> {
  const entries = new Map<string, string>()
  for await (const { field, start, end } of fieldsIn(source, weight.start, weight.end)) {
    if (field !== externalDataField || end - start > longestEntry) continue
    const texts = [...fieldsOf(await source.read(start, end - start))].map(({ bytes }) =>
      decoder.decode(bytes ?? noBytes),
    )
    entries.set(texts[0] ?? '', texts[1] ?? '')
  }
  const file = entries.get('location')
  if (file === undefined) return null
  const [offset, length] = ['offset', 'length'].map((key) => Number(entries.get(key) ?? 0))
  const end = (offset ?? 0) + (length ?? 0)
  return { file, end: Number.isSafeInteger(end) ? end : 0 }
}

const decoder = new TextDecoder()
const noBytes = new Uint8Array(0)

interface FieldRange {
  readonly field: number
  /** Where its content begins and ends. */
  readonly start: number
  readonly end: number
}

async function* fieldsIn(source: ByteSource, from: number, until: number): AsyncGenerator<FieldRange> {
  let count = 0
  for (let at = from; at < until;) {
    count += 1
    if (count > mostFields) throw new FormatError(`more than ${mostFields} fields`, { offset: at })
    const bytes = await source.read(at, Math.min(longestTag, until - at))
    const tag = readCount(bytes, 0)
    const wire = tag.value % 8
    const field = Math.floor(tag.value / 8)
    const size = sizeOf(wire, bytes, tag.next)
    if (size === null || field === 0) throw new FormatError(`no field of an ONNX model at byte ${at}`, { offset: at })
    const end = at + size.start + size.length
    if (end > until) throw beyond(field, end, until)
    yield { field, start: at + size.start, end }
    at = end
  }
}

function sizeOf(wire: number, bytes: Uint8Array, next: number): { start: number; length: number } | null {
  if (wire === 0) return { start: readCount(bytes, next).next, length: 0 }
  if (wire === 1) return { start: next, length: 8 }
  if (wire === 5) return { start: next, length: 4 }
  if (wire !== 2) return null
  const { value, next: start } = readCount(bytes, next)
  return { start, length: value }
}

function beyond(field: number, end: number, until: number): FormatError {
  return new FormatError(`ends early: field ${field} ends at byte ${end}, and what holds it at byte ${until}`, {
    offset: until,
  })
}
