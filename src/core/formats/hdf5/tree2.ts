/** B-trees of version 2: of a group's names, and of chunks in any order (specification, III.A.2; H5B2hdr.c). */
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'

/** A node's signature, version, type and checksum. */
const around = 10
const deepest = 64

interface Tree {
  readonly source: Hdf5Source
  readonly type: number
  readonly nodeSize: number
  readonly recordSize: number
  /** Bytes of a number of records in one node, and by level of one of all records below a node. */
  readonly countSize: number
  readonly allSizes: readonly number[]
  readonly visit: (record: Hdf5Bytes) => Promise<void> | void
}

/** Hands on each record, in the tree's order. Throws FormatError. */
export async function visitTree2(
  source: Hdf5Source,
  address: number,
  type: number,
  visit: Tree['visit'],
): Promise<void> {
  const head = await source.readChecked(address, 22 + source.offsetSize + source.lengthSize, 'the head of a tree')
  head.requireSignature('BTHD', 'the head of a tree')
  head.requireVersion(0, 'the head of a tree')
  const found = head.u8()
  if (found !== type) throw head.fail(`a tree of type ${found}, and ${type} is expected`)
  const [nodeSize, recordSize, depth] = [head.u32(), head.u16(), head.u16()]
  head.skip(2)
  const root = head.address()
  const count = head.u16()
  if (root === null || count === 0) return
  if (depth > deepest || recordSize === 0 || nodeSize < around + recordSize) {
    throw head.fail(`a tree of ${depth} levels, whose nodes have ${nodeSize} bytes and records ${recordSize}`)
  }
  const sizes = sizesOf(nodeSize, recordSize, depth, source.offsetSize)
  await visitNode({ source, type, nodeSize, recordSize, ...sizes, visit }, root, count, depth)
}

/** How wide counts are written: as the largest that a node of each level can have needs it. */
function sizesOf(
  nodeSize: number,
  recordSize: number,
  depth: number,
  offsetSize: number,
): Pick<Tree, 'countSize' | 'allSizes'> {
  let most = Math.floor((nodeSize - around) / recordSize)
  const countSize = widthOf(most)
  const allSizes = [0]
  for (let level = 1; level <= depth; level += 1) {
    const pointer = offsetSize + countSize + (allSizes[level - 1] ?? 0)
    const records = Math.floor((nodeSize - around - pointer) / (recordSize + pointer))
    most = (records + 1) * most + records
    allSizes.push(widthOf(most))
  }
  return { countSize, allSizes }
}

function widthOf(most: number): number {
  return Math.min(8, Math.floor(Math.log2(Math.max(1, most)) / 8) + 1)
}

async function visitNode(tree: Tree, address: number, count: number, level: number): Promise<void> {
  const { source, recordSize, countSize } = tree
  const allSize = level > 1 ? (tree.allSizes[level - 1] ?? 0) : 0
  const pointer = source.offsetSize + countSize + allSize
  const size = around + count * recordSize + (level > 0 ? (count + 1) * pointer : 0)
  const node = await source.readChecked(address, size, 'a node of a tree')
  node.requireSignature(level > 0 ? 'BTIN' : 'BTLF', 'a node of a tree')
  node.requireVersion(0, 'a node of a tree')
  node.skip(1)
  const records = Array.from({ length: count }, () => node.inner(recordSize))
  for (let index = 0; index <= count; index += 1) {
    if (level > 0) {
      const child = node.address()
      const inChild = node.uint(countSize)
      node.skip(allSize)
      if (child === null) throw node.fail('a node without an address')
      await visitNode(tree, child, inChild, level - 1)
    }
    const record = records[index]
    if (record !== undefined) await tree.visit(record)
  }
}
