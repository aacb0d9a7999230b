/** Object headers: what a group or dataset is, in messages (specification, IV.A). */
import { FormatError } from '../../errors.js'
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'

export interface Hdf5Message {
  readonly type: number
  readonly data: Hdf5Bytes
}

/** Kinds of messages that are read. */
export const messageType = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  fillValue: 0x05,
  link: 0x06,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const

const mostMessages = 200_000
const mostBlocks = 10_000

/** All messages of the object at `address`, those of its continuations too. Throws FormatError. */
export async function readMessages(source: Hdf5Source, address: number): Promise<Hdf5Message[]> {
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
      add(messages, blocks, { type, data: bytes.inner(length) }, flags)
    }
  }
  return messages
}

async function readSecond(source: Hdf5Source, head: Hdf5Bytes): Promise<Hdf5Message[]> {
  head.requireSignature('OHDR', 'an object header')
  const version = head.u8()
  if (version !== 2) throw head.fail(`version ${version} of an object header`)
  const flags = head.u8()
  head.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0))
  const size = head.uint(2 ** (flags & 3))
  const messages: Hdf5Message[] = []
  const blocks: Block[] = [{ position: head.position + head.at, length: size }]
  for (let block = blocks.shift(), number = 0; block !== undefined; block = blocks.shift(), number += 1) {
    if (number > mostBlocks) throw head.fail('an object header in more parts than any has')
    const bytes = await source.read(block.position, block.length, 'messages of an object header')
    // Of a continuation its signature is before, and its checksum behind.
    if (number > 0) bytes.requireSignature('OCHK', 'a part of an object header')
    const checksum = number > 0 ? 4 : 0
    const prefix = flags & 0x04 ? 6 : 4
    while (bytes.left >= prefix + checksum) {
      const type = bytes.u8()
      const length = bytes.u16()
      const own = bytes.u8()
      bytes.skip(prefix - 4)
      add(messages, blocks, { type, data: bytes.inner(length) }, own)
    }
  }
  return messages
}

/** A shared message lies elsewhere: those of datatypes that were given a name. */
const isShared = 0x02

function add(messages: Hdf5Message[], blocks: Block[], message: Hdf5Message, flags: number): void {
  const { type, data } = message
  if (messages.length >= mostMessages) throw data.fail('an object header of more messages than any has')
  if ((flags & isShared) !== 0 && type === messageType.datatype) {
    throw new FormatError('hdf5: a datatype that stands elsewhere in the file (a named datatype) is not read', {
      code: 'refused',
      hint: 'copy its datasets into a new file with h5py: NEW[name] = FILE[name][()]',
    })
  }
  messages.push(message)
  if (type !== messageType.continuation) return
  const position = data.address()
  if (position !== null) blocks.push({ position, length: data.length() })
}
