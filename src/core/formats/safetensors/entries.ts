/** The strict way through a header: its entries as they are written, with what is repeated or unknown in them. */
import { quote } from './fault.js'
import { isDtype } from './dtype.js'
import type { Dtype } from './dtype.js'
import { code, JsonCursor } from './json-cursor.js'
import type { U64 } from './u64.js'

/** A tensor as the header's text has it; nothing but the text's form is checked. */
export interface RawEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly U64[]
  /** From the start of the data. */
  readonly begin: U64
  readonly end: U64
}

export interface Entries {
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of the header; of two with one name, the last. */
  readonly entries: Iterable<RawEntry>
  readonly findings: readonly string[]
}

/** The name of the header's entry that is not a tensor. */
export const metadataName = '__metadata__'
const fieldNames = ['dtype', 'shape', 'data_offsets'] as const
/** Findings of one kind that are reported one by one; of the rest, the count. */
const mostListed = 20

/**
 * The header's JSON as serde_json and the reference's types take it (safetensors: `HashMetadata`, `TensorInfo`).
 * Throws SafetensorsError. `base` is the header's place in the file.
 */
export function parseEntries(header: Uint8Array, base: number): Entries {
  return new EntriesParser(header, base).parse()
}

class EntriesParser {
  private readonly cursor: JsonCursor
  private readonly entries = new Map<string, RawEntry>()
  private readonly repeated = new Set<string>()
  private readonly odd = new Set<string>()
  private metadata: Map<string, string> | undefined

  constructor(header: Uint8Array, base: number) {
    this.cursor = new JsonCursor(header, base)
  }

  parse(): Entries {
    const repeatedKeys = new Set<string>()
    let metadataSeen = false
    this.cursor.object('"{"', (name) => {
      if (name !== metadataName) {
        this.addEntry(name)
        return
      }
      if (metadataSeen) throw this.cursor.fault(`"${metadataName}" is there twice`)
      metadataSeen = true
      this.metadata = this.parseMetadata(repeatedKeys)
    })
    this.cursor.end()
    const findings = [
      ...listSome(
        [...this.repeated],
        (name) => `the header names tensor ${quote(name)} more than once; the last one counts`,
      ),
      ...listSome([...repeatedKeys], (key) => `${metadataName} has ${quote(key)} more than once; the last one counts`),
      ...listSome(
        [...this.odd],
        (name) => `tensor ${quote(name)} is described in a form that only the reference reader takes`,
      ),
    ]
    return { metadata: this.metadata ?? new Map<string, string>(), entries: this.entries.values(), findings }
  }

  private addEntry(name: string): void {
    const entry = this.parseEntry(name)
    // Deleted first, so that the last one also has the last one's place.
    if (this.entries.delete(name)) this.repeated.add(name)
    this.entries.set(name, entry)
  }

  private parseMetadata(repeated: Set<string>): Map<string, string> | undefined {
    if (this.cursor.null()) return undefined
    const metadata = new Map<string, string>()
    this.cursor.object('an object of strings', (key) => {
      if (metadata.has(key)) repeated.add(key)
      metadata.set(key, this.cursor.string('a string'))
    })
    return metadata
  }

  private parseEntry(name: string): RawEntry {
    const fields = new Fields(this.cursor, name, () => this.odd.add(name))
    if (this.cursor.peek() === code.openBracket) fields.fromArray()
    else fields.fromObject()
    return fields.entry()
  }
}

/** The three fields of one tensor. */
class Fields {
  private dtype: Dtype | undefined
  private shape: readonly U64[] | undefined
  private offsets: readonly [U64, U64] | undefined

  constructor(
    private readonly cursor: JsonCursor,
    private readonly name: string,
    private readonly onOddity: () => void,
  ) {}

  fromObject(): void {
    this.cursor.object('an object with dtype, shape and data_offsets', (field) => {
      const known = fieldNames.find((one) => one === field)
      if (known === undefined) this.cursor.skip(2)
      else this.read(known)
    })
  }

  /** serde reads a struct from a sequence too: `["F32", [1], [0, 4]]`. */
  fromArray(): void {
    this.onOddity()
    this.cursor.array('an array', (index) => {
      const field = fieldNames[index]
      if (field === undefined) throw this.cursor.fault(`tensor ${quote(this.name)}: more than 3 elements`)
      this.read(field)
    })
  }

  entry(): RawEntry {
    const { name, dtype, shape, offsets } = this
    if (dtype === undefined) throw this.missing('dtype')
    if (shape === undefined) throw this.missing('shape')
    if (offsets === undefined) throw this.missing('data_offsets')
    return { name, dtype, shape, begin: offsets[0], end: offsets[1] }
  }

  private missing(field: string): Error {
    return this.cursor.fault(`tensor ${quote(this.name)} has no ${field}`)
  }

  private read(field: (typeof fieldNames)[number]): void {
    if (field === 'dtype') {
      if (this.dtype !== undefined) throw this.twice(field)
      this.dtype = this.readDtype()
    } else if (field === 'shape') {
      if (this.shape !== undefined) throw this.twice(field)
      this.shape = this.readShape()
    } else {
      if (this.offsets !== undefined) throw this.twice(field)
      this.offsets = this.readOffsets()
    }
  }

  private twice(field: string): Error {
    return this.cursor.fault(`tensor ${quote(this.name)} has ${field} twice`)
  }

  private readDtype(): Dtype {
    // serde reads a unit variant from a map of one entry too: `{"F32": null}`.
    const wrapped = this.cursor.peek() === code.openBrace
    const name = wrapped ? this.readWrapped() : this.cursor.string('a dtype in quotes')
    if (!isDtype(name)) throw this.cursor.fault(`tensor ${quote(this.name)} has an unknown dtype, ${quote(name)}`)
    return name
  }

  private readWrapped(): string {
    this.onOddity()
    const names: string[] = []
    this.cursor.object('a dtype', (name) => {
      if (names.push(name) > 1) throw this.cursor.fault(`tensor ${quote(this.name)} has two dtypes`)
      if (!this.cursor.null()) this.readEmptyObject()
    })
    return names[0] ?? ''
  }

  private readEmptyObject(): void {
    this.cursor.expect(code.openBrace, 'null')
    this.cursor.expect(code.closeBrace, '"}"')
  }

  private readShape(): U64[] {
    const dims: U64[] = []
    this.cursor.array('a shape in brackets', () => dims.push(this.cursor.unsigned('a dimension')))
    return dims
  }

  private readOffsets(): readonly [U64, U64] {
    const offsets: U64[] = []
    this.cursor.array('two offsets in brackets', (index) => {
      if (index > 1) throw this.cursor.fault(`tensor ${quote(this.name)} has more than 2 data_offsets`)
      offsets.push(this.cursor.unsigned('an offset'))
    })
    const [begin, end] = offsets
    if (begin === undefined || end === undefined) {
      throw this.cursor.fault(`tensor ${quote(this.name)} has ${offsets.length} data_offsets, expected 2`)
    }
    return [begin, end]
  }
}

function listSome(names: readonly string[], say: (name: string) => string): string[] {
  const listed = names.slice(0, mostListed).map(say)
  return names.length > mostListed ? [...listed, `and ${names.length - mostListed} more of these`] : listed
}
