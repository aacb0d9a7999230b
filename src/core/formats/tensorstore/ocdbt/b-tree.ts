/**
 * What TensorStore's OCDBT holds (tensorstore/kvstore/ocdbt/index.rst): the manifest names the root of the newest
 * version's tree, whose leaves hold the values or say where in which data file these lie.
 */
import { FormatError } from '../../../errors.js'
import { bodyOf, Cursor, readFileTable, type DataFile } from './block.js'

/** Bytes of a data file. */
export interface ByteRange {
  /** Relative to the folder of the manifest, with `/`. */
  readonly file: string
  readonly offset: number
  readonly length: number
}

export type Found =
  /** A node of the tree, before it is read. */
  | { readonly kind: 'node'; readonly range: ByteRange }
  | { readonly kind: 'value'; readonly key: Uint8Array; readonly value: Uint8Array | ByteRange }

/** Gives exactly the bytes of a place. */
export type ReadRange = (range: ByteRange) => Promise<Uint8Array>

interface Root extends ByteRange {
  readonly base: string
  readonly height: number
}

const manifestMagic = 0x0cdb3a2a
const nodeMagic = 0x0cdb20de
/** A tree of 10,000 to each node is four high at most where it names every byte of a disk. */
const highest = 16
/** Nodes of one tree, and bytes of the keys in one of them: what leads back to itself has no end. */
const mostNodes = 1 << 16
const mostKeyBytes = 1 << 26

/** The nodes and values of the newest version; nothing for one that is empty. Throws FormatError, and what `read` does. */
export async function* walk(manifest: Uint8Array, read: ReadRange): AsyncGenerator<Found> {
  const root = rootOf(manifest)
  if (root !== null) yield* walkNode(root, new Uint8Array(), read, { left: mostNodes })
}

/** Null for a tree without keys. Throws FormatError. */
function rootOf(manifest: Uint8Array): Root | null {
  const cursor = new Cursor(bodyOf(manifest, manifestMagic, 'a manifest'))
  cursor.take(16)
  if (cursor.count() !== 0) {
    throw new FormatError('an OCDBT manifest whose versions lie in files of their own', { code: 'refused' })
  }
  cursor.counts(2)
  cursor.byte()
  if (cursor.count() === 1) cursor.take(4)
  const files = readFileTable(cursor, '')
  const count = cursor.count()
  const [generations, heights] = [cursor.counts(count), [...cursor.take(count)]]
  const [ids, offsets, lengths, keys] = [count, count, count, count].map((each) => cursor.counts(each))
  const last = generations.length - 1
  if (last < 0 || (keys?.[last] ?? 0) === 0) return null
  return { ...rangeIn(files, ids?.[last], offsets?.[last], lengths?.[last]), height: heights[last] ?? 0 }
}

function rangeIn(
  files: readonly DataFile[],
  id: number | undefined,
  offset = 0,
  length = 0,
): ByteRange & { readonly base: string } {
  const file = files[id ?? files.length]
  if (file === undefined) throw new FormatError(`names data file ${id ?? 'none'}, and there are ${files.length}`)
  return { file: file.path, base: file.base, offset, length }
}

async function* walkNode(
  node: Root,
  prefix: Uint8Array,
  read: ReadRange,
  nodes: { left: number },
): AsyncGenerator<Found> {
  nodes.left -= 1
  if (nodes.left < 0) throw new FormatError(`a tree of more than ${mostNodes} nodes`)
  const { file, offset, length, base, height } = node
  const range = { file, offset, length }
  yield { kind: 'node', range }
  const cursor = new Cursor(bodyOf(await read(range), nodeMagic, 'a node'))
  const own = cursor.byte()
  if (own !== height || own > highest) throw new FormatError(`a node of height ${own} where ${height} is expected`)
  const files = readFileTable(cursor, base)
  const count = cursor.count()
  if (height === 0) yield* leafOf(cursor, files, count, prefix)
  else {
    for (const child of childrenOf(cursor, files, count, prefix)) {
      yield* walkNode({ ...child.range, height: height - 1 }, child.prefix, read, nodes)
    }
  }
}

function* leafOf(cursor: Cursor, files: readonly DataFile[], count: number, prefix: Uint8Array): Generator<Found> {
  const keys = readKeys(cursor, count)
  const relative = keys.read()
  const lengths = cursor.counts(count)
  const kinds = cursor.counts(count)
  const indirect = kinds.filter((kind) => kind === 1).length
  const [ids, offsets] = [cursor.counts(indirect), cursor.counts(indirect)]
  let next = 0
  for (const [index, length] of lengths.entries()) {
    const key = Buffer.concat([prefix, relative[index] ?? new Uint8Array()])
    if (kinds[index] === 1) {
      const { file, offset } = rangeIn(files, ids[next], offsets[next], length)
      next += 1
      yield { kind: 'value', key, value: { file, offset, length } }
    } else yield { kind: 'value', key, value: cursor.take(length) }
  }
}

interface Child {
  readonly range: ByteRange & { readonly base: string }
  readonly prefix: Uint8Array
}

function childrenOf(cursor: Cursor, files: readonly DataFile[], count: number, prefix: Uint8Array): Child[] {
  const keys = readKeys(cursor, count)
  const common = cursor.counts(count)
  const relative = keys.read()
  const [ids, offsets, lengths] = [cursor.counts(count), cursor.counts(count), cursor.counts(count)]
  return relative.map((key, index) => ({
    range: rangeIn(files, ids[index], offsets[index], lengths[index]),
    prefix: Buffer.concat([prefix, key.subarray(0, common[index] ?? 0)]),
  }))
}

/** Lengths first; the texts come where `read` is called: between them an inner node has more numbers. */
function readKeys(cursor: Cursor, count: number): { read: () => Uint8Array[] } {
  const prefixes = [0, ...cursor.counts(Math.max(0, count - 1))]
  const suffixes = cursor.counts(count)
  return {
    read: () => {
      let key: Uint8Array = new Uint8Array()
      let left = mostKeyBytes
      return suffixes.map((length, index) => {
        key = Buffer.concat([key.subarray(0, prefixes[index] ?? 0), cursor.take(length)])
        left -= key.length
        if (left < 0) throw new FormatError(`keys of more than ${mostKeyBytes} bytes in one node`)
        return key
      })
    },
  }
}
