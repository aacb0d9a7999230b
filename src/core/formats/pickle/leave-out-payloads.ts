/**
 * A pickle of arrays is nearly all payload: opcodes of a few bytes, and between them texts and bytes of many megabytes. Of
 * a long one each payload is left where it is and a short one put in its place, so that what is in memory does not grow
 * with the file.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import type { PickleNode } from './nodes.js'
import { op } from './opcodes.js'

/** Bytes that were left where they are. Of a text they are its UTF-8. */
export interface Payload {
  readonly offset: number
  readonly length: number
}

export interface ThinPickle {
  /** The pickle with short payloads. */
  readonly bytes: Uint8Array
  /** What such a short one stands for; undefined for bytes and texts that are what they say. */
  payloadOf(node: PickleNode): Payload | undefined
  /** Where the pickle ends in the file. */
  readonly end: number
}

/** Payloads up to this length are kept. */
const shortest = 4096
/** Of the thin pickle. */
const mostBytes = 1 << 26

/** How long what follows an opcode is: bytes, lines, or a length in that many bytes. */
type Follows = { readonly bytes: number } | { readonly lines: number } | { readonly prefix: number }

const follows = new Map<number, Follows>([
  ...[op.PROTO, op.BININT1, op.BINGET, op.BINPUT, op.EXT1].map((code) => [code, { bytes: 1 }] as const),
  ...[op.BININT2, op.EXT2].map((code) => [code, { bytes: 2 }] as const),
  ...[op.BININT, op.LONG_BINGET, op.LONG_BINPUT, op.EXT4].map((code) => [code, { bytes: 4 }] as const),
  ...[op.BINFLOAT, op.FRAME].map((code) => [code, { bytes: 8 }] as const),
  ...[op.INT, op.LONG, op.FLOAT, op.STRING, op.UNICODE, op.GET, op.PUT, op.PERSID].map(
    (code) => [code, { lines: 1 }] as const,
  ),
  ...[op.GLOBAL, op.INST].map((code) => [code, { lines: 2 }] as const),
  ...[op.SHORT_BINSTRING, op.SHORT_BINBYTES, op.SHORT_BINUNICODE, op.LONG1].map(
    (code) => [code, { prefix: 1 }] as const,
  ),
  ...[op.BINSTRING, op.BINBYTES, op.BINUNICODE, op.LONG4].map((code) => [code, { prefix: 4 }] as const),
  ...[op.BINUNICODE8, op.BINBYTES8, op.BYTEARRAY8].map((code) => [code, { prefix: 8 }] as const),
])

/** Those whose payload may be left where it is. */
const cuttable = new Set<number>([
  ...[op.BINSTRING, op.BINBYTES, op.BINUNICODE, op.BINUNICODE8, op.BINBYTES8, op.BYTEARRAY8],
])

/** Reads the opcodes from the start of the file up to STOP. Throws FormatError. */
export async function thinPickle(source: ByteSource): Promise<ThinPickle> {
  const input = new Window(source)
  const payloads: Payload[] = []
  const parts: Uint8Array[] = []
  let size = 0
  const keep = (bytes: Uint8Array): void => {
    size += bytes.length
    if (size > mostBytes) throw new FormatError(`pickle: more than ${mostBytes} bytes beside its arrays`)
    parts.push(Uint8Array.from(bytes))
  }
  for (;;) {
    const [code = 0] = await input.take(1)
    // A frame tells of a length that is no more.
    if (code === op.FRAME) await input.take(8)
    else if (cuttable.has(code)) await keepOrCut(code, input, payloads, keep)
    else {
      keep(Uint8Array.of(code))
      await keepRest(follows.get(code), input, keep)
    }
    if (code === op.STOP) break
  }
  return { bytes: Buffer.concat(parts), end: input.position, payloadOf: (node) => payloads[numberOf(node)] }
}

async function keepRest(rest: Follows | undefined, input: Window, keep: (bytes: Uint8Array) => void): Promise<void> {
  if (rest === undefined) return
  if ('bytes' in rest) keep(await input.take(rest.bytes))
  else if ('lines' in rest) for (let line = 0; line < rest.lines; line += 1) keep(await input.line())
  else {
    const prefix = Uint8Array.from(await input.take(rest.prefix))
    keep(prefix)
    keep(await input.take(lengthOf(prefix)))
  }
}

async function keepOrCut(
  code: number,
  input: Window,
  payloads: Payload[],
  keep: (bytes: Uint8Array) => void,
): Promise<void> {
  const isLong = follows.get(code)
  const prefix = Uint8Array.from(await input.take(isLong !== undefined && 'prefix' in isLong ? isLong.prefix : 4))
  const length = lengthOf(prefix)
  keep(Uint8Array.of(code))
  if (length <= shortest) {
    keep(prefix)
    keep(await input.take(length))
    return
  }
  const mark = Buffer.from(markOf(payloads.length), 'latin1')
  payloads.push({ offset: input.position, length })
  input.skip(length)
  keep(Uint8Array.from(prefix, (_, index) => (index === 0 ? mark.length : 0)))
  keep(mark)
}

const markStart = '\0payload '

function markOf(number: number): string {
  return `${markStart}${number}`
}

/** The number that a short payload stands for; -1 for any other node. */
function numberOf(node: PickleNode): number {
  const text = typeof node === 'string' ? node : isBytes(node) ? Buffer.from(node.bytes).toString('latin1') : ''
  if (text.length > markStart.length + 12 || !text.startsWith(markStart)) return -1
  const number = Number(text.slice(markStart.length))
  return text === markOf(number) ? number : -1
}

function isBytes(node: PickleNode): node is Extract<PickleNode, { readonly bytes: Uint8Array }> {
  return typeof node === 'object' && node !== null && 'bytes' in node && node.bytes.length < 64
}

function lengthOf(prefix: Uint8Array): number {
  return prefix.reduceRight((sum, byte) => sum * 256 + byte, 0)
}

const windowSize = 1 << 18
const longestLine = 1 << 16

class Window {
  private bytes: Uint8Array = new Uint8Array(0)
  private start = 0
  private at = 0

  constructor(private readonly source: ByteSource) {}

  get position(): number {
    return this.start + this.at
  }

  /** Valid until the next call. */
  async take(count: number): Promise<Uint8Array> {
    if (this.at + count > this.bytes.length) await this.fill(count)
    if (count > this.bytes.length) {
      throw new FormatError(`pickle, byte ${this.position}: ends early, ${count} bytes are needed`, {
        offset: this.position,
      })
    }
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }

  /** With the line feed at its end. */
  async line(): Promise<Uint8Array> {
    if (!this.bytes.includes(0x0a, this.at)) await this.fill(longestLine)
    const end = this.bytes.indexOf(0x0a, this.at)
    if (end === -1 || end - this.at > longestLine) {
      throw new FormatError(`pickle, byte ${this.position}: a line without an end`, { offset: this.position })
    }
    return this.take(end + 1 - this.at)
  }

  skip(count: number): void {
    if (this.position + count > this.source.byteLength) {
      throw new FormatError(
        `pickle, byte ${this.position}: ends early, ${count} bytes are needed and ${this.source.byteLength - this.position} are left`,
        { offset: this.position },
      )
    }
    this.at += count
    if (this.at <= this.bytes.length) return
    this.start += this.at
    this.bytes = new Uint8Array(0)
    this.at = 0
  }

  private async fill(count: number): Promise<void> {
    const { position } = this
    if (count > mostBytes) throw new FormatError(`pickle, byte ${position}: ${count} bytes of one value`)
    this.bytes = await this.source.read(position, Math.max(count, windowSize))
    this.start = position
    this.at = 0
  }
}
