/**
 * GGUF, the files of llama.cpp (ggml-org/ggml, docs/gguf.md): counts, keys with values, what each tensor is, and from an
 * aligned place on the tensors themselves.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { ggmlType, type GgmlType } from './ggml-types.js'

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[] | GgufLong

/** An array that is too long to be shown whole. */
export interface GgufLong {
  readonly count: number
  readonly of: string
}

export interface GgufTensor {
  readonly name: string
  readonly type: GgmlType
  /** The last axis fastest, as everywhere else; GGUF writes it first. */
  readonly shape: readonly number[]
  /** Bytes from the start of the file. */
  readonly position: number
  readonly bytes: number
}

export interface Gguf {
  readonly version: number
  readonly littleEndian: boolean
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: readonly GgufTensor[]
}

const magic = [0x47, 0x47, 0x55, 0x46]

export function isGguf(head: Uint8Array): boolean {
  return magic.every((byte, index) => head[index] === byte)
}

/** Values of a longer array are counted alone: a tokenizer has hundreds of thousands. */
const mostListed = 64
/** Arrays within arrays. */
const deepest = 4
/** Characters of a key or a tensor's name; ggml allows 64 and 65535. */
const longestName = 1 << 16
const largestText = 1 << 24
const mostDimensions = 8
const mostTensors = 1 << 20
const mostKeys = 1 << 20

/** Reads all but the tensors' values. Throws FormatError with the place of what is broken. */
export async function readGguf(source: ByteSource): Promise<Gguf> {
  const input = new GgufInput(source)
  await input.need(8)
  input.skip(4)
  input.setOrder()
  const version = input.uint32()
  if (version < 1 || version > 3) throw input.fail(`version ${version} of GGUF, and 1 to 3 are known`, 4)
  input.wide = version > 1
  const tensorCount = await input.count('tensors', mostTensors, 24)
  const keyCount = await input.count('keys', mostKeys, 12)
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < keyCount; index += 1) {
    const key = await input.text(longestName)
    await input.need(4)
    metadata.set(key, await readValue(input, input.uint32(), 0))
  }
  const tensors: RawTensor[] = []
  for (let index = 0; index < tensorCount; index += 1) tensors.push(await readTensor(input))
  const alignment = alignmentOf(metadata)
  const start = Math.ceil(input.position / alignment) * alignment
  return {
    version,
    littleEndian: input.littleEndian,
    metadata,
    tensors: withOffsets(tensors, start, source.byteLength),
  }
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? 32
  if (typeof alignment === 'number' && alignment >= 1 && alignment <= 1 << 20) return alignment
  throw new FormatError('general.alignment is not a number of bytes that tensors could be aligned to')
}

interface RawTensor {
  readonly name: string
  readonly type: GgmlType
  readonly shape: readonly number[]
  readonly offset: number
}

async function readTensor(input: GgufInput): Promise<RawTensor> {
  const name = await input.text(longestName)
  await input.need(4)
  const at = input.position
  const dimensions = input.uint32()
  if (dimensions > mostDimensions) throw input.fail(`${quote(name)} has ${dimensions} dimensions`, at)
  await input.need(8 * dimensions + 12)
  const shape = Array.from({ length: dimensions }, () => input.length()).reverse()
  const number = input.uint32()
  const type = ggmlType(number)
  if (type === undefined) throw input.fail(`${quote(name)} is of type ${number}, which is not known`, at)
  return { name, type, shape, offset: input.uint64() }
}

function withOffsets(tensors: readonly RawTensor[], start: number, size: number): GgufTensor[] {
  const names = new Set<string>()
  return tensors.map(({ name, type, shape, offset }) => {
    if (names.has(name)) throw new FormatError(`two tensors have the name ${quote(name)}`)
    names.add(name)
    const count = shape.reduce((product, length) => product * length, 1)
    const bytes = (count / type.blockSize) * type.blockBytes
    if (!Number.isSafeInteger(bytes) || (shape.at(-1) ?? 1) % type.blockSize !== 0) {
      throw new FormatError(`${quote(name)} of [${shape.join(', ')}] is not made of whole blocks of ${type.name}`)
    }
    const position = start + offset
    if (position + bytes > size) {
      throw new FormatError(
        `ends early: ${quote(name)} has ${bytes} bytes from byte ${position} on, and the file has ${size}`,
        { offset: size },
      )
    }
    return { name, type, shape, position, bytes }
  })
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 200))
}

/** By their numbers: what they are called, and how many bytes one has. */
const kinds = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'text', 'array', 'u64', 'i64', 'f64'] as const
type Kind = (typeof kinds)[number]
const sizes: Readonly<Record<Exclude<Kind, 'text' | 'array'>, number>> = {
  ...{ u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 },
}

async function readValue(input: GgufInput, number: number, depth: number): Promise<GgufValue> {
  const kind = kinds[number]
  if (kind === undefined) throw input.fail(`a value of kind ${number}, which is not known`)
  if (kind === 'text') return input.text(largestText)
  if (kind === 'array') return readArray(input, depth)
  await input.need(sizes[kind])
  return input.scalar(kind)
}

async function readArray(input: GgufInput, depth: number): Promise<GgufValue> {
  if (depth >= deepest) throw input.fail(`arrays within arrays, more than ${deepest}`)
  await input.need(4)
  const number = input.uint32()
  const kind = kinds[number]
  if (kind === undefined) throw input.fail(`an array of kind ${number}, which is not known`)
  const least = kind === 'text' ? 4 : kind === 'array' ? 8 : sizes[kind]
  const count = await input.count('values', Number.MAX_SAFE_INTEGER, least)
  if (count > mostListed && kind !== 'text' && kind !== 'array') {
    input.skipFar(count * sizes[kind])
    return { count, of: kind }
  }
  const values: GgufValue[] = []
  for (let index = 0; index < count; index += 1) {
    if (count > mostListed && kind === 'text') await input.skipText()
    else {
      const value = await readValue(input, number, depth + 1)
      if (count <= mostListed) values.push(value)
    }
  }
  return count > mostListed ? { count, of: kind } : values
}

const windowSize = 1 << 18

/** The file in order, by a window that moves on. */
class GgufInput {
  littleEndian = true
  /** Counts and lengths have 8 bytes, in version 1 four. */
  wide = true
  private window: Uint8Array = new Uint8Array(0)
  private view: DataView = new DataView(new ArrayBuffer(0))
  private windowStart = 0
  private at = 0

  constructor(private readonly source: ByteSource) {}

  get position(): number {
    return this.windowStart + this.at
  }

  fail(message: string, offset = this.position): FormatError {
    return new FormatError(`gguf, byte ${offset}: ${message}`, { offset })
  }

  /** The next `count` bytes are in the window. */
  async need(count: number): Promise<void> {
    if (this.at + count <= this.window.length) return
    const { position } = this
    this.window = await this.source.read(position, Math.max(count, windowSize))
    this.view = new DataView(this.window.buffer, this.window.byteOffset, this.window.byteLength)
    this.windowStart = position
    this.at = 0
    if (this.window.length >= count) return
    throw new FormatError(`ends early: ${count} bytes are needed at byte ${position} of ${this.source.byteLength}`, {
      offset: position,
    })
  }

  /** The version is small: read the other way round it is not. */
  setOrder(): void {
    this.littleEndian = this.view.getUint32(this.at, true) < 0x10000
  }

  skip(count: number): void {
    this.at += count
  }

  skipFar(count: number): void {
    this.windowStart = this.position + count
    this.window = new Uint8Array(0)
    this.at = 0
    if (this.windowStart > this.source.byteLength) throw this.fail(`ends early: the file has ${this.source.byteLength}`)
  }

  uint32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, this.littleEndian)
  }

  uint64(): number {
    this.at += 8
    const value = this.view.getBigUint64(this.at - 8, this.littleEndian)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`${value} is not a length`, this.position - 8)
    return Number(value)
  }

  /** Of a length or a count, as this version writes it. */
  length(): number {
    return this.wide ? this.uint64() : this.uint32()
  }

  /** How many follow, of which each takes `least` bytes: no more than the file has room for. */
  async count(what: string, most: number, least: number): Promise<number> {
    await this.need(this.wide ? 8 : 4)
    const { position } = this
    const count = this.length()
    const room = Math.floor((this.source.byteLength - this.position) / least)
    if (count > most || count > room) throw this.fail(`${count} ${what}, and there is room for ${room}`, position)
    return count
  }

  private async textLength(): Promise<number> {
    await this.need(this.wide ? 8 : 4)
    const { position } = this
    const length = this.length()
    if (position + length <= this.source.byteLength) return length
    throw this.fail(`ends early: a text of ${length} bytes in a file of ${this.source.byteLength}`, position)
  }

  async text(most: number): Promise<string> {
    const length = await this.textLength()
    if (length > most) throw this.fail(`a text of ${length} bytes, and at most ${most} are read`)
    await this.need(length)
    const bytes = this.window.subarray(this.at, this.at + length)
    this.at += length
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf8')
  }

  async skipText(): Promise<void> {
    const length = await this.textLength()
    if (this.at + length <= this.window.length) this.at += length
    else this.skipFar(length)
  }

  scalar(kind: Exclude<Kind, 'text' | 'array'>): number | bigint | boolean {
    const { view, at, littleEndian: little } = this
    this.at += sizes[kind]
    switch (kind) {
      case 'u8':
        return view.getUint8(at)
      case 'i8':
        return view.getInt8(at)
      case 'bool':
        return view.getUint8(at) !== 0
      case 'u16':
        return view.getUint16(at, little)
      case 'i16':
        return view.getInt16(at, little)
      case 'u32':
        return view.getUint32(at, little)
      case 'i32':
        return view.getInt32(at, little)
      case 'f32':
        return view.getFloat32(at, little)
      case 'u64':
        return view.getBigUint64(at, little)
      case 'i64':
        return view.getBigInt64(at, little)
      case 'f64':
        return view.getFloat64(at, little)
    }
  }
}
