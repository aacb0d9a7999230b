/** Zarr's arrays, versions 2 and 3 (zarr-specs: v2/v2.0.html, v3/core, codecs): what one is, and the keys of its chunks. */
import { FormatError } from '../../errors.js'
import { elementCount, elementTypes } from '../bytes/elements.js'
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../text/json.js'
import { arrayType, type ArrayType } from '../numpy/npy.js'

export type ZarrCodec = 'zstd' | 'gzip' | 'zlib' | 'blosc' | 'crc32c'

/** Chunks within a chunk, which has an index of them at its end. */
export interface ZarrShard {
  readonly chunk: readonly number[]
  readonly codecs: readonly ZarrCodec[]
  /** The index has a checksum behind it. */
  readonly hasChecksum: boolean
}

export interface ZarrArray {
  readonly shape: readonly number[]
  readonly chunk: readonly number[]
  readonly type: ArrayType
  readonly isFortran: boolean
  /** In the order in which they were used. */
  readonly codecs: readonly ZarrCodec[]
  readonly shard: ZarrShard | null
  /** True where a chunk that is not there is zeros. */
  readonly isZeroFilled: boolean
  /** False where nothing stands for what is not there: all chunks were written. */
  readonly hasFill: boolean
  /** The key of a chunk, below that of the array. */
  readonly keyOf: (chunk: readonly number[]) => string
}

/** What lies at `.zarray`. Throws FormatError; `refused` for what is not read. */
export function parseZarr2(bytes: Uint8Array): ZarrArray {
  const json = objectOf(parseJson(bytes), '.zarray')
  const { shape, chunk } = shapesOf(json.get('shape'), json.get('chunks'))
  const filters = json.get('filters')
  if (filters !== null && filters !== undefined) throw notRead('filters')
  const dtype = json.get('dtype')
  const type = typeof dtype === 'string' ? (arrayType(dtype) ?? namedType(dtype)) : null
  if (type === null) throw notRead(`the dtype ${nameOf(dtype)}`)
  const separator = json.get('dimension_separator') === '/' ? '/' : '.'
  return {
    ...{ shape, chunk, type, shard: null, isFortran: json.get('order') === 'F' },
    codecs: compressorOf(json.get('compressor')),
    isZeroFilled: isZero(json.get('fill_value')),
    hasFill: (json.get('fill_value') ?? null) !== null,
    keyOf: (index) => (index.length === 0 ? '0' : index.join(separator)),
  }
}

function compressorOf(compressor: JsonValue | undefined): ZarrCodec[] {
  if (compressor === null || compressor === undefined) return []
  const id = isJsonObject(compressor) ? compressor.get('id') : undefined
  return [codecOf(typeof id === 'string' ? id : '')]
}

const codecNames = new Set<string>(['zstd', 'gzip', 'zlib', 'blosc', 'crc32c'])

function codecOf(name: string): ZarrCodec {
  if (codecNames.has(name)) return name as ZarrCodec
  throw notRead(`the codec ${JSON.stringify(name.slice(0, 80))}`)
}

/** What lies at `zarr.json`. Throws likewise. */
export function parseZarr3(bytes: Uint8Array): ZarrArray {
  const json = objectOf(parseJson(bytes), 'zarr.json')
  const grid = configurationOf(json.get('chunk_grid'), 'regular')
  const { shape, chunk } = shapesOf(json.get('shape'), grid.get('chunk_shape'))
  const name = json.get('data_type')
  const type = typeof name === 'string' ? namedType(name) : null
  if (type === null) throw notRead(`the data type ${nameOf(name)}`)
  const { codecs, littleEndian, shard } = chainOf(json.get('codecs'), chunk.length)
  return {
    ...{ shape, chunk, codecs, shard, isFortran: false },
    type: { ...type, littleEndian },
    isZeroFilled: isZero(json.get('fill_value')),
    hasFill: (json.get('fill_value') ?? null) !== null,
    keyOf: keysOf(json.get('chunk_key_encoding')),
  }
}

function keysOf(encoding: JsonValue | undefined): (chunk: readonly number[]) => string {
  const object = isJsonObject(encoding) ? encoding : new Map<string, JsonValue>()
  const configuration = object.get('configuration')
  const separatorSaid = isJsonObject(configuration) ? configuration.get('separator') : undefined
  if (object.get('name') === 'v2') {
    const separator = separatorSaid === '/' ? '/' : '.'
    return (index) => (index.length === 0 ? '0' : index.join(separator))
  }
  const separator = separatorSaid === '.' ? '.' : '/'
  return (index) => ['c', ...index].join(separator)
}

interface Chain {
  readonly codecs: readonly ZarrCodec[]
  readonly littleEndian: boolean
  readonly shard: ZarrShard | null
}

function chainOf(value: JsonValue | undefined, rank: number): Chain {
  const codecs: ZarrCodec[] = []
  let littleEndian = true
  let shard: ZarrShard | null = null
  for (const one of listOf(value, 'codecs')) {
    const codec = objectOf(one, 'a codec')
    const name = codec.get('name')
    const configuration = codec.get('configuration')
    const options = isJsonObject(configuration) ? configuration : new Map<string, JsonValue>()
    if (name === 'bytes') littleEndian = options.get('endian') !== 'big'
    else if (name === 'sharding_indexed') {
      const inner = shardOf(options, rank)
      shard = inner.shard
      littleEndian = inner.littleEndian
    } else codecs.push(codecOf(typeof name === 'string' ? name : ''))
  }
  if (shard !== null && codecs.length > 0) throw notRead('chunks within chunks that are packed once more')
  return { codecs, littleEndian, shard }
}

function shardOf(options: JsonObject, rank: number): { shard: ZarrShard; littleEndian: boolean } {
  const chunk = countsOf(options.get('chunk_shape'), 'chunk_shape')
  const inner = chainOf(options.get('codecs'), rank)
  const index = chainOf(options.get('index_codecs'), rank)
  const isPlain = index.littleEndian && index.codecs.every((codec) => codec === 'crc32c') && index.shard === null
  const location = options.get('index_location') ?? 'end'
  if (inner.shard !== null || !isPlain || location !== 'end' || chunk.length !== rank) {
    throw notRead('chunks within chunks whose index is packed, at the start, or within another')
  }
  const shard = { chunk, codecs: inner.codecs, hasChecksum: index.codecs.length > 0 }
  return { shard, littleEndian: inner.littleEndian }
}

function configurationOf(value: JsonValue | undefined, name: string): JsonObject {
  const object = objectOf(value, name)
  if (object.get('name') !== name) throw notRead(`a grid of chunks that is not ${name}`)
  return objectOf(object.get('configuration'), 'configuration')
}

function shapesOf(shapeValue: JsonValue | undefined, chunkValue: JsonValue | undefined) {
  const shape = countsOf(shapeValue, 'shape')
  const chunk = countsOf(chunkValue, 'chunks')
  if (shape.length !== chunk.length || elementCount(shape) === null || elementCount(chunk) === null) {
    throw new FormatError(`zarr: chunks of [${chunk.join(', ')}] in a shape of [${shape.join(', ')}]`)
  }
  return { shape, chunk }
}

function countsOf(value: JsonValue | undefined, what: string): number[] {
  return listOf(value, what).map((one) => {
    const count = typeof one === 'number' || typeof one === 'bigint' ? Number(one) : -1
    if (Number.isSafeInteger(count) && count >= 0) return count
    throw new FormatError(`zarr: ${what} with something in it that is not a count`)
  })
}

function listOf(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  if (Array.isArray(value) && value.length <= 64) return value as readonly JsonValue[]
  throw new FormatError(`zarr: ${what} is not a short list`)
}

function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  if (isJsonObject(value)) return value
  throw new FormatError(`zarr: ${what} is not an object`)
}

function namedType(name: string): ArrayType | null {
  const type = elementTypes.get(name)
  return type === undefined ? null : { name: type.name, size: type.size, littleEndian: true }
}

function nameOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : 'that is not a name'
}

function isZero(fill: JsonValue | undefined): boolean {
  return fill === null || fill === undefined || fill === 0 || fill === false || fill === 0n
}

function notRead(what: string): FormatError {
  return new FormatError(`zarr: ${what} is not read`, { code: 'refused' })
}
