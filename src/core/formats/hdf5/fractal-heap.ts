/** Where the names of a large group lie in newer files: a heap in blocks that double (specification, III.G; H5HF*.c). */
import { FormatError } from '../../errors.js'
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'

const mostRows = 4096
const deepest = 16

interface Table {
  /** Blocks in a row. */
  readonly width: number
  /** Bytes of the first block, and of the largest that holds objects. */
  readonly first: number
  readonly largest: number
  /** Bytes of an offset in the heap. */
  readonly heapOffsetSize: number
}

export class FractalHeap {
  /** By address: each block is read once. */
  private readonly blocks = new Map<number, Hdf5Bytes>()

  private constructor(
    private readonly source: Hdf5Source,
    private readonly table: Table,
    private readonly root: { readonly address: number | null; readonly rows: number },
    private readonly lengthSize: number,
    private readonly isChecked: boolean,
  ) {}

  /** Throws FormatError; `refused` for a heap that is packed. */
  static async open(source: Hdf5Source, address: number): Promise<FractalHeap> {
    const { offsetSize, lengthSize } = source
    const head = await source.readChecked(address, 26 + 12 * lengthSize + 3 * offsetSize, 'a heap of names')
    head.requireSignature('FRHP', 'a heap of names')
    head.requireVersion(0, 'a heap of names')
    head.skip(2)
    if (head.u16() !== 0) throw new FormatError('hdf5: a heap of names that is packed is not read', { code: 'refused' })
    const flags = head.u8()
    const largestObject = head.u32()
    head.skip(10 * lengthSize + 2 * offsetSize)
    const width = head.u16()
    const [first, largest] = [head.length(), head.length()]
    const heapOffsetSize = Math.ceil(head.u16() / 8)
    head.skip(2)
    const root = { address: head.address(), rows: head.u16() }
    const isSound =
      width > 0 && isPower(first) && isPower(largest) && largest >= first && heapOffsetSize > 0 && heapOffsetSize <= 8
    if (!isSound || root.rows > mostRows) {
      throw head.fail(`a heap of ${root.rows} rows of ${width} blocks of ${first} to ${largest} bytes`)
    }
    const lengthBytes = Math.min(bytesFor(Math.log2(largest)), bytesFor(Math.log2(Math.max(1, largestObject)) + 1))
    return new FractalHeap(source, { width, first, largest, heapOffsetSize }, root, lengthBytes, (flags & 2) !== 0)
  }

  /** The object of an ID as trees have it. Throws FormatError. */
  async objectAt(id: Hdf5Bytes): Promise<Hdf5Bytes> {
    const kind = (id.u8() >> 4) & 3
    if (kind !== 0) throw id.fail('a name that is longer than any')
    const offset = id.uint(this.table.heapOffsetSize)
    const length = id.uint(this.lengthSize)
    const { address, start, size } = await this.blockOf(offset, id)
    if (offset - start + length > size) throw id.fail(`a name of ${length} bytes reaches out of its block`)
    const block = await this.blockAt(address, size)
    block.at = offset - start
    return block.inner(length)
  }

  /** The block that has this offset in the heap. */
  private async blockOf(offset: number, id: Hdf5Bytes): Promise<{ address: number; start: number; size: number }> {
    const { first, largest } = this.table
    let { address, rows } = this.root
    let start = 0
    for (let depth = 0; depth <= deepest && address !== null; depth += 1) {
      if (rows === 0) return { address, start, size: first }
      const found = this.rowOf(offset - start)
      if (found.row >= rows) break
      const child = await this.childOf(address, rows, found)
      start += found.start
      if (found.size <= largest) return { address: child ?? this.lost(id), start, size: found.size }
      address = child
      rows = Math.log2(found.size) - Math.log2(first * this.table.width) + 1
    }
    return this.lost(id)
  }

  private lost(id: Hdf5Bytes): never {
    throw id.fail('a name whose offset in the heap is not there')
  }

  /** The first two rows have blocks of the first size, each further one of twice the size before. */
  private rowOf(offset: number): {
    readonly row: number
    readonly column: number
    readonly start: number
    readonly size: number
  } {
    const { width, first } = this.table
    const inRows = Math.floor(offset / (first * width))
    const row = inRows === 0 ? 0 : Math.floor(Math.log2(inRows)) + 1
    const size = row === 0 ? first : first * 2 ** (row - 1)
    const rowStart = row === 0 ? 0 : size * width
    const column = Math.floor((offset - rowStart) / size)
    return { row, column, start: rowStart + column * size, size }
  }

  private async childOf(
    address: number,
    rows: number,
    { row, column }: { readonly row: number; readonly column: number },
  ): Promise<number | null> {
    const { offsetSize } = this.source
    const before = 5 + offsetSize + this.table.heapOffsetSize
    const size = before + rows * this.table.width * offsetSize + 4
    const block = await this.known(address, () => this.source.readChecked(address, size, 'a table of a heap'))
    block.at = 0
    block.requireSignature('FHIB', 'a table of a heap')
    block.at = before + (row * this.table.width + column) * offsetSize
    return block.address()
  }

  private async blockAt(address: number, size: number): Promise<Hdf5Bytes> {
    const block = await this.known(address, () => this.source.read(address, size, 'a block of names'))
    block.at = 0
    block.requireSignature('FHDB', 'a block of names')
    // Its checksum, where it has one, lies before the objects and is taken with zeros in its place.
    if (this.isChecked)
      block.requireChecksumAt(5 + this.source.offsetSize + this.table.heapOffsetSize, 'a block of names')
    return block
  }

  private async known(address: number, read: () => Promise<Hdf5Bytes>): Promise<Hdf5Bytes> {
    const known = this.blocks.get(address)
    if (known !== undefined) return known
    const block = await read()
    this.blocks.set(address, block)
    return block
  }
}

function isPower(size: number): boolean {
  return size > 0 && Number.isInteger(Math.log2(size))
}

/** Bytes that a number of that many bits takes. */
function bytesFor(bits: number): number {
  return Math.max(1, Math.floor((Math.floor(bits) + 7) / 8))
}
