/** TensorFlow's V2 checkpoints, by their index (formats/tensorflow/bundle.ts). */
import { basename, dirname } from 'node:path'
import { FormatError } from '../../errors.js'
import { crc32c, masked } from '../../formats/bytes/crc32c.js'
import type { PyPair } from '../../formats/python/value.js'
import {
  dataFileOf,
  readBundle,
  type Bundle,
  type BundlePart,
  type BundleTensor,
} from '../../formats/tensorflow/bundle.js'
import { TextChecksum } from '../../formats/tensorflow/text-checksum.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle, ReadStorage, Stat } from '../../storage/storage.js'
import { findUntiled, joinBoxes } from './sharded-tensor.js'
import { chunksOf, ensureSame, type TensorData, type TensorStream } from './extent.js'
import { FolderFiles } from './folder-file.js'
import { ListedFile, type ListedTensor, type OpenFiles } from './listed-file.js'
import type { TensorFile } from './tensor.js'
import { turned } from './big-endian.js'

/** A table whose first entry is the header of a bundle, under the empty key: lengths 0, 0 and its own, then the message. */
export function isTensorFlowIndex(head: Uint8Array): boolean {
  return head.length >= 48 && head[0] === 0 && head[1] === 0 && (head[2] ?? 0) < 0x80 && head[3] === 0x08
}

/** Opens `NAME.index` and the data files beside it; `withTexts` lists texts too, to be checked. Throws FormatError. */
export async function openTensorFlow(
  handle: ReadHandle,
  storage: ReadStorage,
  { withTexts = false }: { readonly withTexts?: boolean } = {},
): Promise<TensorFile> {
  const stat = await handle.stat()
  const bundle = await readBundle(sourceOf(handle))
  const files = await DataFiles.look(storage, handle, stat, bundle)
  const isTensor = ({ dtype }: BundleTensor): boolean => dtype.bits > 0
  for (const tensor of bundle.tensors) files.requireInside(tensor)
  const texts = withTexts && bundle.littleEndian ? bundle.tensors.flatMap((tensor) => listedTexts(tensor, files)) : []
  return new ListedFile(files, {
    format: 'tensorflow',
    path: handle.path,
    byteLength: handle.size + files.byteLength,
    tensors: [...bundle.tensors.filter(isTensor).map((tensor) => listed(tensor, bundle, files)), ...texts],
    values: valuesOf(bundle.tensors.filter((tensor) => !isTensor(tensor))),
  })
}

/** Texts and what only TensorFlow itself makes sense of: the graph of the objects that were saved. */
function valuesOf(others: readonly BundleTensor[]): { kind: 'dict'; pairs: PyPair[] } | null {
  if (others.length === 0) return null
  const pairs = others.map(({ name, dtype, shape, part }): PyPair => {
    const repr = `<${dtype.name} [${shape.join(', ')}], ${part?.size ?? 0} bytes>`
    return [name, { kind: 'opaque', name: `tensorflow.${dtype.name}`, repr }]
  })
  return { kind: 'dict', pairs }
}

class DataFiles implements OpenFiles {
  private constructor(
    private readonly index: { readonly handle: ReadHandle; readonly stat: Stat },
    private readonly files: FolderFiles,
    private readonly names: readonly string[],
  ) {}

  static async look(storage: ReadStorage, handle: ReadHandle, stat: Stat, { shards }: Bundle): Promise<DataFiles> {
    const prefix = basename(handle.path).replace(/\.index$/, '')
    const names = Array.from({ length: shards }, (_, shard) => dataFileOf(prefix, shard, shards))
    const files = await FolderFiles.look(storage, dirname(handle.path), names, basename(handle.path))
    return new DataFiles({ handle, stat }, files, names)
  }

  get byteLength(): number {
    return this.files.byteLength
  }

  nameOf({ shard }: BundlePart): string {
    return this.names[shard] ?? ''
  }

  handleOf(part: BundlePart): Promise<ReadHandle> {
    return this.files.handleOf(this.nameOf(part))
  }

  requireInside({ name, part, slices }: BundleTensor): void {
    for (const one of part === null ? slices : [part]) {
      const size = this.files.sizeOf(this.nameOf(one))
      if (one.offset + one.size <= size) continue
      throw new FormatError(
        `${JSON.stringify(name)} has ${one.size} bytes from ${one.offset} on in ${this.nameOf(one)}, which ends at ${size}`,
        { offset: size },
      )
    }
  }

  async ensureUnchanged(): Promise<void> {
    await ensureSame(this.index.handle, this.index.stat)
    await this.files.ensureUnchanged()
  }

  async close(): Promise<void> {
    await this.files.close()
    await this.index.handle.close()
  }
}

function listed({ name, dtype, shape, part, slices }: BundleTensor, bundle: Bundle, files: DataFiles): ListedTensor {
  const itemSize = dtype.bits / 8
  const bytes = shape.reduce((product, length) => product * length, itemSize)
  const dataOf = async (one: BundlePart): Promise<TensorData> => {
    const data = checked(await files.handleOf(one), one, `${JSON.stringify(name)} in ${files.nameOf(one)}`)
    return bundle.littleEndian ? data : turned(data, /^complex|^C/.test(dtype.name) ? itemSize / 2 : itemSize)
  }
  const info = { name, dtype: dtype.name, shape, bytes }
  if (part !== null) return { ...info, open: () => dataOf(part) }
  const boxes = slices.map((slice) => ({
    offsets: slice.extents.map(({ start }) => start),
    sizes: slice.extents.map(({ length }) => length),
    open: () => dataOf(slice),
  }))
  const gap = findUntiled(shape, boxes)
  if (gap !== undefined) throw new FormatError(`${JSON.stringify(name)}: ${gap}`)
  return { ...info, open: async () => joinBoxes(shape, itemSize, boxes) }
}

function listedTexts({ name, dtype, shape, part }: BundleTensor, files: DataFiles): ListedTensor[] {
  if (dtype.name !== 'string' || part === null) return []
  const what = `${JSON.stringify(name)} in ${files.nameOf(part)}`
  const count = shape.reduce((product, length) => product * length, 1)
  const open = async () => checkedTexts(await files.handleOf(part), part, count, what)
  return [{ name, dtype: dtype.name, shape, bytes: part.size, open }]
}

/** The texts as they lie in the file, held against their checksum as `checked` does it. */
function checkedTexts(
  handle: ReadHandle,
  { offset, size, crc32c: stored }: BundlePart,
  count: number,
  what: string,
): TensorStream {
  return {
    length: size,
    read: async function* (length, chunk) {
      const checksum = new TextChecksum(count)
      try {
        for await (const bytes of chunksOf({ handle, position: offset, length }, chunk)) {
          checksum.take(bytes)
          yield bytes
        }
        if (length === size) requireSum(checksum.finish(), stored)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        throw new FormatError(`${handle.path}: ${what} ${error.message}`, { offset, cause: error })
      }
    },
  }
}

function requireSum(sum: number, stored: number): void {
  if (sum !== stored) throw new FormatError(`has the checksum ${hex(sum)}, and the index says ${hex(stored)}`)
}

/** As TensorFlow does when it restores: what was read whole is held against its checksum. */
function checked(handle: ReadHandle, { offset, size, crc32c: stored }: BundlePart, what: string): TensorStream {
  return {
    length: size,
    read: async function* (length, chunk) {
      let sum = 0
      for await (const bytes of chunksOf({ handle, position: offset, length }, chunk)) {
        sum = crc32c(bytes, sum)
        yield bytes
      }
      if (length < size || masked(sum) === stored) return
      const why = `has the checksum ${hex(masked(sum))}, and the index says ${hex(stored)}`
      throw new FormatError(`${handle.path}: ${what} ${why}`, { offset })
    },
  }
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}
