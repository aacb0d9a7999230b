/** HDF5 as Keras and h5py write it: the tree of groups, and the datasets in it, none of whose values is read. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { Hdf5Source } from './bytes.js'
import { readDataset, type Hdf5Dataset } from './dataset.js'
import { isGroup, linksOf, type Hdf5Outside } from './groups.js'
import { readMessages } from './header.js'

export interface Hdf5Entry {
  /** The names that lead to it, joined with slashes. */
  readonly path: string
  /** Of its header in the file: what has the same is the same dataset. */
  readonly address: number
  readonly dataset: Hdf5Dataset
}

export interface Hdf5File {
  /** In the order of their names. */
  readonly entries: readonly Hdf5Entry[]
  /** Names that stand for objects in other files, which are not opened. */
  readonly outside: readonly Hdf5Outside[]
  /** For the chunks of a dataset. */
  readonly source: Hdf5Source
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

export function isHdf5(head: Uint8Array): boolean {
  return signature.every((byte, index) => head[index] === byte)
}

const mostObjects = 1_000_000
const deepest = 200
/** Characters of all paths together. */
const mostText = 1 << 26

/**
 * `userBlock` are the bytes that lie before `file`, and that it counts as its own. Throws FormatError with the position of
 * what is broken; `refused` for a form that is not read.
 */
export async function readHdf5(file: ByteSource, userBlock = 0): Promise<Hdf5File> {
  const source = new Hdf5Source(file)
  const root = await readSuperblock(source, userBlock)
  const entries: Hdf5Entry[] = []
  const outside: Hdf5Outside[] = []
  const groups = new Set<number>()
  let text = 0
  const visit = async (address: number, path: string, depth: number): Promise<void> => {
    text += path.length
    if (depth > deepest || entries.length + outside.length + groups.size > mostObjects || text > mostText) {
      throw new FormatError(`hdf5: ${JSON.stringify(path.slice(0, 80))} lies deeper than any, or there are too many`)
    }
    const messages = await readMessages(source, address)
    const dataset = readDataset(messages)
    if (dataset !== null) entries.push({ path, address, dataset })
    else if (isGroup(messages) && !groups.has(address)) {
      // A group can be linked to again from within itself.
      groups.add(address)
      const links = await linksOf(source, messages)
      const below = (name: string): string => (path === '' ? name : `${path}/${name}`)
      for (const link of links.outside) outside.push({ ...link, name: below(link.name) })
      for (const { name, address: child } of links.own) await visit(child, below(name), depth + 1)
    }
  }
  await visit(root, '', 0)
  return { entries, outside, source }
}

/** Gives the address of the root group's header. */
async function readSuperblock(source: Hdf5Source, userBlock: number): Promise<number> {
  const head = await source.readSome(0, 128, 'the superblock')
  head.skip(8)
  const version = head.u8()
  if (version > 3) throw head.fail(`version ${version} of HDF5's superblock, and 0 to 3 are known`)
  if (version < 2) head.skip(4)
  source.offsetSize = widthOf(head.u8())
  source.lengthSize = widthOf(head.u8())
  const { offsetSize } = source
  const sized = await source.readSome(0, 128, 'the superblock')
  if (version >= 2) sized.skip(12)
  else sized.skip(version === 0 ? 24 : 28)
  const base = sized.address()
  if (base !== userBlock) throw sized.fail(`addresses that count from byte ${base}`)
  sized.skip(offsetSize)
  const end = sized.address()
  const size = source.byteLength + userBlock
  if (end !== null && end > size) {
    throw new FormatError(`ends early: it says that it has ${end} bytes, and there are ${size}`, { offset: size })
  }
  if (version < 2) sized.skip(2 * offsetSize)
  const root = sized.address()
  if (root === null) throw sized.fail('no root group')
  return root
}

function widthOf(size: number): number {
  if (size === 2 || size === 4 || size === 8) return size
  throw new FormatError(`hdf5: addresses or lengths of ${size} bytes`)
}
