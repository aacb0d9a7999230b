/** Arrays in which newer files tell where chunks lie (specification, VII.B and VII.C; H5FA*.c, H5EA*.c). */
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'

/** One entry of an array of chunks by its number; null where nothing was ever written. */
type EntryAt = (index: number) => Promise<Hdf5Bytes | null>

export interface EntryArray {
  readonly at: EntryAt
  /** Bytes of an entry. */
  readonly size: number
}

/** Bytes before the entries of a block: signature, version, whose it is, and where its head lies. */
function prefixOf(source: Hdf5Source): number {
  return 6 + source.offsetSize
}

const checksumSize = 4

/** Blocks by address: each is read once. */
class Blocks {
  private readonly known = new Map<number, Hdf5Bytes>()

  constructor(private readonly source: Hdf5Source) {}

  async at(address: number, length: number, what: string, signature?: string): Promise<Hdf5Bytes> {
    const known = this.known.get(address)
    if (known !== undefined) return known
    const block = await this.source.readChecked(address, length, what)
    if (signature !== undefined) block.requireSignature(signature, what)
    this.known.set(address, block)
    return block
  }
}

/** As many entries as the dataset can ever have. */
export async function openFixedArray(source: Hdf5Source, address: number): Promise<EntryArray> {
  const what = 'an index of chunks'
  const head = await source.readChecked(address, 8 + source.lengthSize + source.offsetSize + checksumSize, what)
  head.requireSignature('FAHD', what)
  head.requireVersion(0, what)
  head.skip(1)
  const size = head.u8()
  const perPage = 2 ** head.u8()
  const count = head.length()
  const start = head.address()
  const prefix = prefixOf(source)
  const blocks = new Blocks(source)
  const isPaged = count > perPage
  const pages = isPaged ? Math.ceil(count / perPage) : 0
  const headLength = prefix + (isPaged ? Math.ceil(pages / 8) : count * size) + checksumSize
  const at: EntryAt = async (index) => {
    if (start === null || index >= count) return null
    const block = await blocks.at(start, headLength, what, 'FADB')
    if (!isPaged) return entryOf(block, prefix + index * size, size)
    const page = Math.floor(index / perPage)
    if (!hasBit(block, prefix, page)) return null
    const entries = Math.min(perPage, count - page * perPage)
    const from = start + headLength + page * (perPage * size + checksumSize)
    return entryOf(await blocks.at(from, entries * size + checksumSize, what), (index % perPage) * size, size)
  }
  return { at, size }
}

function entryOf(block: Hdf5Bytes, at: number, size: number): Hdf5Bytes {
  block.at = at
  return block.inner(size)
}

function hasBit(block: Hdf5Bytes, at: number, bit: number): boolean {
  return ((block.bytes[at + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0
}

interface Extensible {
  readonly source: Hdf5Source
  readonly blocks: Blocks
  readonly size: number
  /** Entries in the index itself, in the first block of data, and in a page of a large one. */
  readonly inIndex: number
  readonly leastInBlock: number
  readonly perPage: number
  /** Blocks of data and of blocks that the index names. */
  readonly blocksInIndex: number
  readonly groupsInIndex: number
  readonly groups: number
  /** Bytes of an entry's number in the array. */
  readonly numberSize: number
  readonly index: number
}

/** Entries for a dataset that grows along one axis: blocks of data in groups, each of which has larger or more ones. */
export async function openExtensibleArray(source: Hdf5Source, address: number): Promise<EntryArray> {
  const what = 'an index of chunks'
  const head = await source.readChecked(address, 12 + 6 * source.lengthSize + source.offsetSize + checksumSize, what)
  head.requireSignature('EAHD', what)
  head.requireVersion(0, what)
  head.skip(1)
  const [size, bits, inIndex, leastInBlock, leastPointers, pageBits] = [
    head.u8(),
    head.u8(),
    head.u8(),
    head.u8(),
    head.u8(),
    head.u8(),
  ]
  head.skip(6 * source.lengthSize)
  const index = head.address()
  const [leastBits, pointerBits] = [Math.log2(leastInBlock), Math.log2(leastPointers)]
  if (
    !Number.isInteger(leastBits) ||
    !Number.isInteger(pointerBits) ||
    bits > 64 ||
    bits < leastBits ||
    pageBits > 26
  ) {
    throw head.fail(`an index of chunks of ${bits} bits in blocks of ${leastInBlock}, ${leastPointers} together`)
  }
  if (index === null) return { at: async () => Promise.resolve(null), size }
  const array = {
    source,
    blocks: new Blocks(source),
    size,
    inIndex,
    leastInBlock,
    perPage: 2 ** pageBits,
    blocksInIndex: 2 * (leastPointers - 1),
    groupsInIndex: 2 * pointerBits,
    groups: 1 + bits - leastBits,
    numberSize: Math.ceil(bits / 8),
    index,
  }
  return { at: async (entry) => entryInArray(array, entry), size }
}

async function entryInArray(array: Extensible, entry: number): Promise<Hdf5Bytes | null> {
  const { source, blocks, size, inIndex, blocksInIndex, groupsInIndex, groups, leastInBlock } = array
  const prefix = prefixOf(source)
  const pointers = blocksInIndex + Math.max(0, groups - groupsInIndex)
  const length = prefix + inIndex * size + pointers * source.offsetSize + checksumSize
  const index = await blocks.at(array.index, length, 'an index of chunks', 'EAIB')
  if (entry < inIndex) return entryOf(index, prefix + entry * size, size)
  const behind = entry - inIndex
  const group = Math.floor(Math.log2(Math.floor(behind / leastInBlock) + 1))
  if (group >= groups) return null
  const { perBlock, firstEntry, firstBlock } = groupOf(group, leastInBlock)
  const [block, within] = [Math.floor((behind - firstEntry) / perBlock), (behind - firstEntry) % perBlock]
  const pointersAt = prefix + inIndex * size
  if (group < groupsInIndex) {
    index.at = pointersAt + (firstBlock + block) * source.offsetSize
    return entryInBlock(array, index.address(), perBlock, within, null)
  }
  index.at = pointersAt + (blocksInIndex + group - groupsInIndex) * source.offsetSize
  return entryInGroup(array, index.address(), group, block, within)
}

/** Groups have 1, 1, 2, 2, 4, … blocks of 1, 2, 2, 4, 4, … times the least number of entries. */
function groupOf(group: number, least: number): { perBlock: number; firstEntry: number; firstBlock: number } {
  let [firstEntry, firstBlock] = [0, 0]
  for (let before = 0; before < group; before += 1) {
    firstBlock += blocksOf(before)
    firstEntry += blocksOf(before) * perBlockOf(before, least)
  }
  return { perBlock: perBlockOf(group, least), firstEntry, firstBlock }
}

function blocksOf(group: number): number {
  return 2 ** Math.floor(group / 2)
}

function perBlockOf(group: number, least: number): number {
  return least * 2 ** Math.floor((group + 1) / 2)
}

async function entryInGroup(
  array: Extensible,
  address: number | null,
  group: number,
  block: number,
  within: number,
): Promise<Hdf5Bytes | null> {
  if (address === null) return null
  const { source, blocks, perPage, leastInBlock, numberSize } = array
  const perBlock = perBlockOf(group, leastInBlock)
  const pages = perBlock > perPage ? perBlock / perPage : 0
  const bits = prefixOf(source) + numberSize
  const pointers = bits + blocksOf(group) * Math.ceil(pages / 8)
  const length = pointers + blocksOf(group) * source.offsetSize + checksumSize
  const table = await blocks.at(address, length, 'blocks of an index of chunks', 'EASB')
  if (pages > 0 && !hasBit(table, bits, block * pages + Math.floor(within / perPage))) return null
  table.at = pointers + block * source.offsetSize
  return entryInBlock(array, table.address(), perBlock, within, pages > 0 ? perPage : null)
}

async function entryInBlock(
  { source, blocks, size, numberSize }: Extensible,
  address: number | null,
  perBlock: number,
  within: number,
  perPage: number | null,
): Promise<Hdf5Bytes | null> {
  if (address === null) return null
  const what = 'entries of an index of chunks'
  const prefix = prefixOf(source) + numberSize
  if (perPage === null) {
    const block = await blocks.at(address, prefix + perBlock * size + checksumSize, what, 'EADB')
    return entryOf(block, prefix + within * size, size)
  }
  const pageLength = perPage * size + checksumSize
  const from = address + prefix + checksumSize + Math.floor(within / perPage) * pageLength
  return entryOf(await blocks.at(from, pageLength, what), (within % perPage) * size, size)
}
