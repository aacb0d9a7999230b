/** Object headers: what a group or dataset is, in messages (specification, IV.A). */
import { FormatError } from '../../errors.js'
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'

export interface Hdf5Message {
  readonly type: number
  readonly data: Hdf5Bytes
  /** The data are where the message lies. */
  readonly isShared: boolean
}

/** Kinds of messages that are read. */
export const messageType = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  fillValue: 0x05,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const

const mostMessages = 200_000
const mostBlocks = 10_000

/** All messages of the object at `address`, those of its continuations too. Throws FormatError. */
export async function readMessages(source: Hdf5Source, address: number): Promise<readonly Hdf5Message[]> {
  const messages = await ownMessages(source, address)
  return messages.some(({ isShared }) => isShared) ? withShared(source, messages) : messages
}

async function ownMessages(source: Hdf5Source, address: number): Promise<Hdf5Message[]> {
  const head = await source.readSome(address, 512, 'an object header')
  const isSecond = Buffer.from(head.bytes.subarray(0, 4)).toString('latin1') === 'OHDR'
  return isSecond ? readSecond(source, head) : readFirst(source, head)
}

interface Block {
  readonly position: number
  readonly length: number
}

async function readFirst(source: Hdf5Source, head: Hdf5Bytes): Promise<Hdf5Message[]> {
  const version = head.u8()
  if (version !== 1) throw head.fail(`version ${version} of an object header`)
  head.skip(1)
  const count = head.u16()
  head.skip(4)
  const size = head.u32()
  head.skip(4)
  const messages: Hdf5Message[] = []
  const blocks: Block[] = [{ position: head.position + head.at, length: size }]
  for (let block = blocks.shift(), number = 0; block !== undefined; block = blocks.shift(), number += 1) {
    if (number > mostBlocks) throw head.fail('an object header in more parts than any has')
    const bytes = await source.read(block.position, block.length, 'messages of an object header')
    while (bytes.left >= 8 && messages.length < count) {
      const type = bytes.u16()
      const length = bytes.u16()
      const flags = bytes.u8()
      bytes.skip(3)
      add(messages, blocks, { type, data: bytes.inner(length), isShared: (flags & sharedFlag) !== 0 })
    }
  }
  return messages
}

async function readSecond(source: Hdf5Source, head: Hdf5Bytes): Promise<Hdf5Message[]> {
  head.requireSignature('OHDR', 'an object header')
  head.requireVersion(2, 'an object header')
  const flags = head.u8()
  head.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0))
  const size = head.uint(2 ** (flags & 3))
  const start = head.at
  const messages: Hdf5Message[] = []
  const blocks: Block[] = [{ position: head.position, length: start + size + checksumSize }]
  for (let block = blocks.shift(), number = 0; block !== undefined; block = blocks.shift(), number += 1) {
    if (number > mostBlocks) throw head.fail('an object header in more parts than any has')
    const bytes = await source.readChecked(block.position, block.length, 'an object header')
    if (number === 0) bytes.skip(start)
    else bytes.requireSignature('OCHK', 'a part of an object header')
    const prefix = flags & 0x04 ? 6 : 4
    while (bytes.left >= prefix + checksumSize) {
      const type = bytes.u8()
      const length = bytes.u16()
      const own = bytes.u8()
      bytes.skip(prefix - 4)
      add(messages, blocks, { type, data: bytes.inner(length), isShared: (own & sharedFlag) !== 0 })
    }
  }
  return messages
}

const checksumSize = 4
/** A shared message lies elsewhere: those of datatypes that were given a name. */
const sharedFlag = 0x02

function add(messages: Hdf5Message[], blocks: Block[], message: Hdf5Message): void {
  const { type, data } = message
  if (messages.length >= mostMessages) throw data.fail('an object header of more messages than any has')
  messages.push(message)
  if (type !== messageType.continuation) return
  const position = data.address()
  if (position !== null) blocks.push({ position, length: data.length() })
}

/** The messages, where one is shared with that of the object that it names (specification, IV.A.2, "Shared Message"). */
async function withShared(source: Hdf5Source, messages: readonly Hdf5Message[]): Promise<readonly Hdf5Message[]> {
  const all: Hdf5Message[] = []
  for (const message of messages) {
    all.push(message.isShared && needed.has(message.type) ? await sharedOf(source, message) : message)
  }
  return all
}

const needed: ReadonlySet<number> = new Set([
  messageType.dataspace,
  messageType.datatype,
  messageType.fillValue,
  messageType.filters,
])

async function sharedOf(source: Hdf5Source, { type, data }: Hdf5Message): Promise<Hdf5Message> {
  const version = data.u8()
  const kind = data.u8()
  if (version === 1) data.skip(6)
  const inHeap = 1
  const address = version === 3 && kind === inHeap ? null : data.address()
  if (address === null) {
    throw new FormatError('hdf5: what several datasets share in a heap (H5Pset_shared_mesg) is not read', {
      code: 'refused',
      hint: 'copy its datasets into a new file with h5py: NEW[name] = FILE[name][()]',
    })
  }
  const found = (await ownMessages(source, address)).find((one) => one.type === type && !one.isShared)
  if (found === undefined) throw data.fail(`nothing is shared at byte ${address}`)
  return found
}
