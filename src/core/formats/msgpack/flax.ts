/**
 * flax's msgpack files (flax/serialization.py, `msgpack_serialize`): nested maps, and arrays as extensions of type 1, each a
 * tuple of shape, dtype and bytes. What is above 1 GB is cut into pieces. Arrays are located, and not read.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../bytes/byte-source.js'
import { elementCount, elementTypes, type ElementType } from '../bytes/elements.js'

export interface FlaxArray {
  readonly type: ElementType
  readonly shape: readonly number[]
  /** Where its elements lie, row-major and little-endian; one behind the other where there are several. */
  readonly parts: readonly { readonly offset: number; readonly length: number }[]
}

export type FlaxNode =
  | { readonly kind: 'map'; readonly entries: readonly (readonly [key: string, node: FlaxNode])[] }
  | { readonly kind: 'list'; readonly items: readonly FlaxNode[] }
  | { readonly kind: 'array'; readonly array: FlaxArray }
  | { readonly kind: 'value'; readonly value: null | boolean | number | bigint | string }
  /** Bytes, and extensions that are not arrays. */
  | { readonly kind: 'other'; readonly text: string }

/** Some 45,000 arrays: a model and its optimizer's states have hundreds. */
const mostNodes = 1 << 18
const deepest = 100
const longestText = 1 << 16

/** A map whose first key is a text, as a state is. */
export function isFlaxMsgpack(head: Uint8Array): boolean {
  const [first = 0] = head
  const key = first > 0x80 && first <= 0x8f ? head[1] : first === 0xde ? head[3] : first === 0xdf ? head[5] : undefined
  return key !== undefined && ((key > 0xa0 && key <= 0xbf) || key === 0xd9)
}

/** Throws FormatError where it ends early, goes on behind its value, or is none. */
export async function readFlax(file: ByteSource): Promise<FlaxNode> {
  const input = new Input(inBlocks(file), file.byteLength)
  const node = joinPieces(await readNode(input, 0))
  if (input.at === file.byteLength) return node
  throw input.fail(`its value ends here, and ${file.byteLength - input.at} bytes more follow`)
}

class Input {
  at = 0
  private nodes = 0

  constructor(
    private readonly source: ByteSource,
    readonly end: number,
  ) {}

  fail(message: string, offset = this.at): FormatError {
    return new FormatError(`msgpack, byte ${offset}: ${message}`, { offset })
  }

  count(): void {
    this.nodes += 1
    if (this.nodes > mostNodes) throw this.fail(`more than ${mostNodes} values`)
  }

  async take(length: number): Promise<Uint8Array> {
    this.require(length)
    const bytes = await this.source.read(this.at, length)
    this.at += length
    return bytes
  }

  skip(length: number): void {
    this.require(length)
    this.at += length
  }

  private require(length: number): void {
    if (this.at + length <= this.end) return
    throw new FormatError(`ends early: ${length} bytes are needed at byte ${this.at}, and the file has ${this.end}`, {
      offset: this.end,
    })
  }

  /** Big-endian. */
  async uint(width: number): Promise<number> {
    return (await this.take(width)).reduce((sum, byte) => sum * 256 + byte, 0)
  }

  async text(length: number): Promise<string> {
    if (length > longestText) throw this.fail(`a text of ${length} bytes`)
    return Buffer.from(await this.take(length)).toString('utf8')
  }
}

async function readNode(input: Input, depth: number): Promise<FlaxNode> {
  input.count()
  if (depth > deepest) throw input.fail(`more than ${deepest} maps in each other`)
  const first = await input.uint(1)
  if (first < 0x80 || first >= 0xe0) return value(first < 0x80 ? first : first - 256)
  if (first < 0x90) return readMap(input, first & 0x0f, depth)
  if (first < 0xa0) return readList(input, first & 0x0f, depth)
  if (first < 0xc0) return value(await input.text(first & 0x1f))
  return readLong(input, first, depth)
}

async function readLong(input: Input, first: number, depth: number): Promise<FlaxNode> {
  switch (first) {
    case 0xc0:
      return value(null)
    case 0xc2:
    case 0xc3:
      return value(first === 0xc3)
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return skipped(input, await input.uint(2 ** (first - 0xc4)), 'bytes')
    case 0xc7:
    case 0xc8:
    case 0xc9:
      return readExtension(input, await input.uint(2 ** (first - 0xc7)), depth)
    case 0xca:
    case 0xcb:
      return value(floatOf(await input.take(first === 0xca ? 4 : 8)))
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return value(integerOf(await input.take(2 ** (first - 0xcc)), false))
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return value(integerOf(await input.take(2 ** (first - 0xd0)), true))
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      return readExtension(input, 2 ** (first - 0xd4), depth)
    case 0xd9:
    case 0xda:
    case 0xdb:
      return value(await input.text(await input.uint(2 ** (first - 0xd9))))
    case 0xdc:
    case 0xdd:
      return readList(input, await input.uint(first === 0xdc ? 2 : 4), depth)
    case 0xde:
    case 0xdf:
      return readMap(input, await input.uint(first === 0xde ? 2 : 4), depth)
    default:
      throw input.fail(`no value begins with 0x${first.toString(16)}`, input.at - 1)
  }
}

function value(one: null | boolean | number | bigint | string): FlaxNode {
  return { kind: 'value', value: one }
}

function skipped(input: Input, length: number, what: string): FlaxNode {
  input.skip(length)
  return { kind: 'other', text: `${length} ${what}` }
}

function floatOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.length === 4 ? view.getFloat32(0) : view.getFloat64(0)
}

function integerOf(bytes: Uint8Array, isSigned: boolean): bigint {
  const number = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  return isSigned ? BigInt.asIntN(8 * bytes.length, number) : number
}

async function readMap(input: Input, count: number, depth: number): Promise<FlaxNode> {
  const entries: (readonly [string, FlaxNode])[] = []
  for (let index = 0; index < count; index += 1) {
    const key = await readNode(input, depth + 1)
    if (key.kind === 'other' && key.text === bytesOfNumpy) throw ofNumpy(input)
    if (key.kind !== 'value') throw input.fail('a key that is not text or number')
    entries.push([String(key.value), await readNode(input, depth + 1)])
  }
  return { kind: 'map', entries }
}

/** msgpack-numpy, which spaCy saves with, describes an array as a map whose first key is the bytes `nd`. */
const bytesOfNumpy = '2 bytes'

function ofNumpy({ at }: Input): FormatError {
  return new FormatError(`msgpack, byte ${at}: an array as msgpack-numpy writes it, which spaCy's own loader reads`, {
    offset: at,
    code: 'refused',
    hint: 'for its loader, copy the folder of the model: ckpt export RUN --into DIR',
  })
}

async function readList(input: Input, count: number, depth: number): Promise<FlaxNode> {
  const items: FlaxNode[] = []
  for (let index = 0; index < count; index += 1) items.push(await readNode(input, depth + 1))
  return { kind: 'list', items }
}

const [arrayType, complexType, scalarType] = [1, 2, 3]

async function readExtension(input: Input, length: number, depth: number): Promise<FlaxNode> {
  const type = await input.uint(1)
  const end = input.at + length
  if (type === arrayType || type === scalarType) {
    const array = await readArray(input, depth)
    if (input.at !== end) throw input.fail(`an array ends here, and its extension at byte ${end}`)
    return { kind: 'array', array }
  }
  return skipped(input, length, type === complexType ? 'bytes of a complex number' : `bytes of extension ${type}`)
}

/** (shape, dtype, bytes) */
async function readArray(input: Input, depth: number): Promise<FlaxArray> {
  const start = input.at
  if ((await input.uint(1)) !== 0x93) throw input.fail('an array that is not a tuple of three', start)
  const shapeNode = await readNode(input, depth + 1)
  const nameNode = await readNode(input, depth + 1)
  const shape = shapeNode.kind === 'list' ? shapeNode.items.map(countIn) : [-1]
  const name = nameNode.kind === 'value' ? String(nameNode.value) : ''
  const type = elementTypes.get(name === 'V2' ? 'bfloat16' : name)
  const count = elementCount(shape)
  if (type === undefined || count === null)
    throw input.fail(`an array of ${JSON.stringify(name.slice(0, 40))} [${shape.join(', ')}]`, start)
  const first = await input.uint(1)
  const width = [0xc4, 0xc5, 0xc6].indexOf(first)
  if (width === -1) throw input.fail('an array without its bytes', start)
  const length = await input.uint(2 ** width)
  if (length !== count * type.size) {
    throw input.fail(
      `an array of ${name} [${shape.join(', ')}] has ${length} bytes, and takes ${count * type.size}`,
      start,
    )
  }
  const offset = input.at
  input.skip(length)
  return { type, shape, parts: [{ offset, length }] }
}

function countIn(node: FlaxNode): number {
  return node.kind === 'value' && (typeof node.value === 'number' || typeof node.value === 'bigint')
    ? Number(node.value)
    : -1
}

const piecesKey = '__msgpack_chunked_array__'

/** An array of more than 1 GB is a map of its shape and of flat pieces. */
function joinPieces(node: FlaxNode): FlaxNode {
  if (node.kind === 'list') return { kind: 'list', items: node.items.map(joinPieces) }
  if (node.kind !== 'map') return node
  if (node.entries.some(([key]) => key === piecesKey)) return joined(new Map(node.entries))
  return { kind: 'map', entries: node.entries.map(([key, one]) => [key, joinPieces(one)] as const) }
}

function joined(map: ReadonlyMap<string, FlaxNode>): FlaxNode {
  const shape = inOrder(map.get('shape')).map(countIn)
  const pieces = inOrder(map.get('chunks')).flatMap((one) => (one.kind === 'array' ? [one.array] : []))
  const [first] = pieces
  const count = elementCount(shape)
  const length = pieces.reduce((sum, { parts }) => sum + (parts[0]?.length ?? 0), 0)
  if (first === undefined || count === null || length !== count * first.type.size) {
    throw new FormatError(
      `msgpack: an array in ${pieces.length} pieces of ${length} bytes is none of [${shape.join(', ')}]`,
    )
  }
  return { kind: 'array', array: { type: first.type, shape, parts: pieces.flatMap(({ parts }) => parts) } }
}

/** flax writes a tuple as a map of its numbers. */
function inOrder(node: FlaxNode | undefined): FlaxNode[] {
  if (node?.kind === 'list') return [...node.items]
  if (node?.kind !== 'map') return []
  return [...node.entries].sort(([a], [b]) => Number(a) - Number(b)).map(([, one]) => one)
}
