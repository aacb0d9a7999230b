/**
 * Whether an ONNX file ends where its fields do, and what other files its weights lie in: a ModelProto is fields in a row, with no length of its own
 * (onnx/onnx.proto; protobuf.dev/programming-guides/encoding). Of weights nothing but tags and lengths is read.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { fieldsOf, readCount } from './protobuf.js'

/** Fields of ModelProto, which its writers give no others than. */
const mostField = 25
const graphField = 7
/** Bytes of a tag and a length, or a number, at most. */
const longestTag = 20
/** Bytes that are read at once. */
const windowSize = 1 << 16
/** Nodes and weights of a graph that are gone through. */
const mostFields = 5_000_000

const initializerField = 5
const externalDataField = 13
/** Bytes of a key and its value at most. */
const longestEntry = 1 << 16
/** Entries of one weight that are read: writers give five. */
const mostEntries = 64
/** Files that weights lie in: exporters that give each weight a file of its own write some thousands. */
const mostFiles = 20_000

/**
 * Gives the files beside it that weights of the graph lie in (TensorProto's `external_data`), each with the bytes that it
 * needs at least. Throws FormatError where a field reaches beyond what holds it.
 */
export async function checkOnnx(source: ByteSource): Promise<ReadonlyMap<string, number>> {
  const needed = new Map<string, number>()
  let graphs = 0
  for await (const { fields, window } of fieldsIn(source, { start: 0, end: source.byteLength })) {
    for (const graph of fields) {
      const { field, start } = graph
      if (field > mostField) throw new FormatError(`field ${field}, which no ONNX model has`, { offset: start })
      if (field !== graphField) continue
      graphs += 1
      // What lies in the window is gone through at once: there can be millions of graphs, and of weights.
      if (window.holds(graph)) for (const weight of heldFields(window, graph)) addHeld(window, weight, needed)
      else await addExternal(source, graph, needed)
    }
  }
  if (graphs === 0) throw new FormatError(`no graph in its ${source.byteLength} bytes, as an ONNX model has`)
  return needed
}

/** Adds the files that weights of a graph lie in. */
async function addExternal(source: ByteSource, graph: Span, needed: Map<string, number>): Promise<void> {
  for await (const { fields, window } of fieldsIn(source, graph)) {
    for (const weight of fields) {
      if (window.holds(weight)) addHeld(window, weight, needed)
      else if (weight.field === initializerField) addRange(await entriesRead(source, weight), needed)
    }
  }
}

/** Adds the file of what is in a graph and lies in the window whole, where it is a weight. */
function addHeld(window: Window, weight: FieldSpan, needed: Map<string, number>): void {
  if (weight.field !== initializerField) return
  addRange(
    heldFields(window, weight)
      .filter(isEntry)
      .map((entry) => window.bytesOf(entry)),
    needed,
  )
}

function addRange(entries: readonly Uint8Array[], needed: Map<string, number>): void {
  const external = externalRange(entries)
  if (external === null) return
  needed.set(external.file, Math.max(external.end, needed.get(external.file) ?? 0))
  if (needed.size > mostFiles) throw new FormatError(`its weights lie in more than ${mostFiles} files`)
}

/** The entries of `external_data` of a weight. */
async function entriesRead(source: ByteSource, weight: Span): Promise<readonly Uint8Array[]> {
  const entries: Uint8Array[] = []
  for await (const { fields, window } of fieldsIn(source, weight)) {
    for (const entry of fields.filter(isEntry)) {
      if (entries.length === mostEntries) return entries
      const held = window.holds(entry) ? window.bytesOf(entry) : null
      entries.push(held ?? (await source.read(entry.start, entry.end - entry.start)))
    }
  }
  return entries
}

function isEntry({ field, start, end }: FieldSpan): boolean {
  return field === externalDataField && end - start <= longestEntry
}

/** Where a weight lies that the file itself does not hold; null for one that it holds. */
function externalRange(entries: readonly Uint8Array[]): { file: string; end: number } | null {
  if (entries.length === 0) return null
  const texts = new Map(
    entries.map((entry) => {
      const [key, value] = [...fieldsOf(entry)].map(({ bytes }) => decoder.decode(bytes ?? noBytes))
      return [key ?? '', value ?? '']
    }),
  )
  const file = texts.get('location')
  if (file === undefined) return null
  const [offset, length] = ['offset', 'length'].map((key) => Number(texts.get(key) ?? 0))
  const end = (offset ?? 0) + (length ?? 0)
  return { file, end: Number.isSafeInteger(end) ? end : 0 }
}

const decoder = new TextDecoder()
const noBytes = new Uint8Array(0)

/** Bytes of the file, from `start` to before `end`. */
interface Span {
  readonly start: number
  readonly end: number
}

/** The content of a field. */
interface FieldSpan extends Span {
  readonly field: number
}

/** A piece of the file, whose fields are gone through without waiting for each. */
class Window {
  constructor(
    readonly begin: number,
    readonly bytes: Uint8Array,
  ) {}

  get end(): number {
    return this.begin + this.bytes.length
  }

  holds({ start, end }: Span): boolean {
    return start >= this.begin && end <= this.end
  }

  bytesOf({ start, end }: Span): Uint8Array {
    return this.bytes.subarray(start - this.begin, end - this.begin)
  }
}

/** The fields between two places of the file, a window of them at a time. */
async function* fieldsIn(
  source: ByteSource,
  { start, end }: Span,
): AsyncGenerator<{ fields: readonly FieldSpan[]; window: Window }> {
  let count = 0
  for (let at = start; at < end;) {
    const window = new Window(at, await source.read(at, Math.min(windowSize, source.byteLength - at)))
    const fields = heldFields(window, { start: at, end })
    count += fields.length
    if (count > mostFields) throw new FormatError(`more than ${mostFields} fields`, { offset: at })
    yield { fields, window }
    at = fields.at(-1)?.end ?? end
  }
}

/**
 * The fields between two places, the first in the window: all where the window holds both, else as far as it surely holds
 * a tag and a length, and one at least.
 */
function heldFields(window: Window, span: Span): FieldSpan[] {
  const { start, end } = span
  const last = window.holds(span) ? end : Math.max(start + 1, window.end - longestTag)
  const fields: FieldSpan[] = []
  for (let at = start; at < last;) {
    const field = fieldAt(window, at, end)
    fields.push(field)
    at = field.end
  }
  return fields
}

function fieldAt(window: Window, at: number, until: number): FieldSpan {
  const bytes = window.bytesOf({ start: at, end: Math.min(at + longestTag, until, window.end) })
  const tag = readCount(bytes, 0)
  const field = Math.floor(tag.value / 8)
  const size = sizeOf(tag.value % 8, bytes, tag.next)
  if (size === null || field === 0) throw new FormatError(`no field of an ONNX model at byte ${at}`, { offset: at })
  const end = at + size.start + size.length
  if (end > until) throw beyond(field, end, until)
  return { field, start: at + size.start, end }
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
