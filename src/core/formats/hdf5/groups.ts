/** Groups: the names in one, and the address of each object (specification, III.A to III.D, IV.A.2.f, IV.A.2.g). */
import { FormatError } from '../../errors.js'
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'
import { FractalHeap } from './fractal-heap.js'
import { messageType, type Hdf5Message } from './header.js'
import { visitTree2 } from './tree2.js'

export interface Hdf5Link {
  readonly name: string
  readonly address: number
}

/** A name that stands for an object in another file. */
export interface Hdf5Outside {
  readonly name: string
  readonly file: string
  readonly path: string
}

/** The names in a group. */
export interface Hdf5Links {
  /** Hard links, in the order of their names or of the file. */
  readonly own: Hdf5Link[]
  readonly outside: Hdf5Outside[]
}

const mostLinks = 1_000_000
const deepestTree = 64
const longestName = 1 << 16

/** True for an object that is a group. */
export function isGroup(messages: readonly Hdf5Message[]): boolean {
  return messages.some(({ type }) =>
    [messageType.symbolTable, messageType.linkInfo, messageType.link].some((one) => one === type),
  )
}

/** Without soft links, which lead to what has another name already. Throws FormatError. */
export async function linksOf(source: Hdf5Source, messages: readonly Hdf5Message[]): Promise<Hdf5Links> {
  const links: Hdf5Links = { own: [], outside: [] }
  for (const { type, data } of messages) {
    if (type === messageType.symbolTable) await readSymbolTable(source, data, links.own)
    else if (type === messageType.link) readLink(data, links)
    else if (type === messageType.linkInfo) await readDense(source, data, links)
  }
  return links
}

/** More than eight links of newer files lie in a heap of their own, and a tree of their names' hashes tells where. */
async function readDense(source: Hdf5Source, data: Hdf5Bytes, links: Hdf5Links): Promise<void> {
  data.skip(1)
  if ((data.u8() & 1) !== 0) data.skip(8)
  const [heapAt, tree] = [data.address(), data.address()]
  if (heapAt === null || tree === null) return
  const heap = await FractalHeap.open(source, heapAt)
  const dense: Hdf5Links = { own: [], outside: [] }
  await visitTree2(source, tree, treeOfNames, async (record) => {
    if (dense.own.length + dense.outside.length >= mostLinks)
      throw record.fail(`a group of more than ${mostLinks} names`)
    record.skip(4)
    readLink(await heap.objectAt(record), dense)
  })
  dense.own.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const link of dense.own) links.own.push(link)
  for (const link of dense.outside) links.outside.push(link)
}

const treeOfNames = 5

const externalLink = 64

function readLink(data: Hdf5Bytes, links: Hdf5Links): void {
  data.skip(1)
  const flags = data.u8()
  const kind = flags & 0x08 ? data.u8() : 0
  data.skip((flags & 0x04 ? 8 : 0) + (flags & 0x10 ? 1 : 0))
  const name = data.text(data.uint(2 ** (flags & 3)))
  const address = kind === 0 ? data.address() : null
  if (address !== null) links.own.push({ name, address })
  if (kind !== externalLink) return
  const [, file = '', path = ''] =
    /^.(.*?)\0(.*?)(?:\0|$)/s.exec(Buffer.from(data.some(data.u16())).toString('utf8')) ?? []
  links.outside.push({ name, file, path })
}

async function readSymbolTable(source: Hdf5Source, data: Hdf5Bytes, links: Hdf5Link[]): Promise<void> {
  const tree = data.address()
  const heap = data.address()
  if (tree === null || heap === null) return
  const names = await readHeap(source, heap)
  await readTree(source, tree, async (child) => readNode(source, child, names, links), 0)
}

/** Where names lie, one behind the other, each with a zero behind it. */
async function readHeap(source: Hdf5Source, address: number): Promise<Uint8Array> {
  const head = await source.read(address, 8 + 2 * source.lengthSize + source.offsetSize, 'a local heap')
  head.requireSignature('HEAP', 'a local heap')
  head.skip(4)
  const size = head.length()
  head.length()
  const position = head.address()
  return position === null ? new Uint8Array(0) : (await source.read(position, size, 'the names of a group')).bytes
}

/** Goes through a group's tree. A node that is met within itself would never end. */
async function readTree(
  source: Hdf5Source,
  address: number,
  leaf: (address: number) => Promise<void>,
  depth: number,
): Promise<void> {
  if (depth > deepestTree) throw new FormatError('hdf5: a tree of names that is deeper than any')
  const { level, children } = await readTreeNode(source, address, 0, source.lengthSize)
  for (const { child } of children) {
    if (level === 0) await leaf(child)
    else await readTree(source, child, leaf, depth + 1)
  }
}

export interface TreeNode {
  readonly level: number
  readonly children: readonly { readonly key: Hdf5Bytes; readonly child: number }[]
}

/** A node of a B-tree of version 1, of names (`kind` 0) or of chunks (1). */
export async function readTreeNode(
  source: Hdf5Source,
  address: number,
  kind: number,
  keySize: number,
): Promise<TreeNode> {
  const head = await source.read(address, 8 + 2 * source.offsetSize, 'a node of a tree')
  head.requireSignature('TREE', 'a node of a tree')
  const found = head.u8()
  if (found !== kind) throw head.fail(`a node of kind ${found}, and ${kind} is expected`)
  const level = head.u8()
  const count = head.u16()
  const size = count * (keySize + source.offsetSize)
  const bytes = await source.read(address + 8 + 2 * source.offsetSize, size, 'the entries of a tree')
  const children: { key: Hdf5Bytes; child: number }[] = []
  for (let index = 0; index < count; index += 1) {
    const key = bytes.inner(keySize)
    const child = bytes.address()
    if (child !== null) children.push({ key, child })
  }
  return { level, children }
}

const softLink = 2

async function readNode(source: Hdf5Source, address: number, names: Uint8Array, links: Hdf5Link[]): Promise<void> {
  const head = await source.read(address, 8, 'the names of a group')
  head.requireSignature('SNOD', 'the names of a group')
  head.skip(2)
  const count = head.u16()
  const size = 2 * source.offsetSize + 24
  const bytes = await source.read(address + 8, count * size, 'the names of a group')
  for (let index = 0; index < count; index += 1) {
    const entry = bytes.inner(size)
    const offset = entry.uint(source.offsetSize)
    const object = entry.address()
    const isSoft = entry.u32() === softLink
    if (links.length >= mostLinks) throw entry.fail(`a group of more than ${mostLinks} names`)
    if (object !== null && !isSoft) links.push({ name: nameAt(names, offset, entry), address: object })
  }
}

function nameAt(names: Uint8Array, offset: number, entry: Hdf5Bytes): string {
  const end = names.indexOf(0, offset)
  if (offset >= names.length || end === -1 || end - offset > longestName) throw entry.fail('a name that does not end')
  return Buffer.from(names.subarray(offset, end)).toString('utf8')
}
