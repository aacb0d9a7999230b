/**
 * Tensors as nearly all are, read in one go: a state_dict of 100,000 of them is 25 opcodes each, and node by node they
 * take ten times as much time and memory. What is written in any other way is left to the machine.
 */
import type { PickleGlobal, PickleInstance, PickleNode, PickleReference, PickleTensor } from './nodes.js'
import { op } from './opcodes.js'

/** The function that is called for each (torch/_utils.py). */
const rebuilder = { module: 'torch._utils', name: '_rebuild_tensor_v2' } as const
const orderedDict = { module: 'collections', name: 'OrderedDict' } as const

/** True for the function behind whose name a plain tensor may follow. */
export function isTensorRebuilder(node: PickleNode): node is PickleGlobal {
  return isGlobal(node, rebuilder)
}

/** The same as the call that it is short for. */
export function spelledOut(tensor: PickleTensor): PickleInstance {
  const { index, offset, shape, strides } = tensor
  const storage = { kind: 'persistent', id: idOf(tensor), index } as const
  const numbers = [BigInt(offset), tuple(shape.map(BigInt)), tuple(strides.map(BigInt))]
  return call(rebuilder, [storage, ...numbers, false, call(orderedDict, [])])
}

/** What a reference to something outside is made of. */
export function idOf(reference: PickleReference): PickleNode {
  if (reference.kind === 'persistent') return reference.id
  const { cls, key, location, count } = reference
  return tuple(['storage', cls, key, location, BigInt(count)])
}

function tuple(items: PickleNode[]): PickleNode {
  return { kind: 'tuple', items }
}

function call(callee: Omit<PickleGlobal, 'kind'>, args: PickleNode[]): PickleInstance {
  const parts = { keywords: null, states: [], items: [], entries: [] }
  return { kind: 'call', callee: { kind: 'global', ...callee }, args: tuple(args), ...parts }
}

function isGlobal(node: PickleNode | undefined, { module, name }: Omit<PickleGlobal, 'kind'>): node is PickleGlobal {
  return typeof node === 'object' && node?.kind === 'global' && node.module === module && node.name === name
}

/** What nobody could mind being handed to a call: anything else is looked at node by node. */
function isStorageClass(node: PickleNode | undefined): node is PickleGlobal {
  if (typeof node !== 'object' || node?.kind !== 'global') return false
  return /^torch(?:\.cuda|\.storage)?$/.test(node.module) && /^_?[A-Z][A-Za-z0-9]*Storage$/.test(node.name)
}

/** What is in the memo so far. */
export interface KnownNodes {
  /** Of the numbers that are taken, from which MEMOIZE goes on. */
  readonly size: number
  get(number: number): PickleNode | undefined
}

/** More dimensions than this are left to the machine. */
const mostDimensions = 8
const longestText = 64
/** Digits. */
const longestDecimal = 9
const zero = 0x30

/** Reads plain tensors out of a pickle. */
export class PlainTensors {
  readonly #bytes: Uint8Array
  readonly #buffer: Buffer
  #memo: KnownNodes = { size: 0, get: () => undefined }
  #at = 0
  #location = 'cpu'
  #cls: PickleGlobal | null = null
  #hooks: PickleGlobal | null = null
  /** A model has few shapes. */
  readonly #lists = new RecentLists()
  readonly #numbers: number[] = []
  /** A part was put under a number that is written out. */
  #isNumbered = false
  /** Numbers in the memo under which the last tensor's parts are asked to be kept. */
  readonly parts: number[] = []
  /** That of the storage's key; -1 for none. */
  keyIndex = -1

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The byte behind the last tensor's REDUCE. */
  get end(): number {
    return this.#at
  }

  /**
   * The tensor whose arguments begin at byte `position`, behind their mark, with `index` as its place among the
   * references to something outside; null, and nothing changed, for what is written in any other way.
   */
  read(position: number, index: number, memo: KnownNodes): PickleTensor | null {
    this.#memo = memo
    this.#at = position
    this.parts.length = 0
    this.keyIndex = -1
    this.#isNumbered = false
    if (!this.#is(op.MARK) || !this.#isText('storage')) return null
    const cls = this.#storageClass()
    if (cls === null) return null
    const key = this.#key()
    const location = key === null ? null : this.#locationText()
    if (key === null || location === null) return null
    const count = this.#integer()
    // In older streams a storage may be a part of another: None says that it is not.
    this.#is(op.NONE)
    if (count < 0 || !this.#is(op.TUPLE) || !this.#put() || !this.#is(op.BINPERSID)) return null
    const offset = this.#integer()
    const shape = offset < 0 ? null : this.#integers()
    const strides = shape === null ? null : this.#integers()
    if (shape === null || strides === null || !this.#hasNoHooks()) return null
    if (!this.#is(op.TUPLE) || !this.#put() || !this.#is(op.REDUCE)) return null
    return { kind: 'tensor', index, cls, key, location, count, offset, shape, strides }
  }

  /** Takes an opcode without arguments, if it is the next one. */
  #is(code: number): boolean {
    if (this.#bytes[this.#at] !== code) return false
    this.#at += 1
    return true
  }

  /** `requires_grad` is False, and the hooks are a new OrderedDict, with nothing put into it. */
  #hasNoHooks(): boolean {
    if (!this.#is(op.NEWFALSE)) return false
    const node = this.#gotten()
    if (node === undefined || (node !== this.#hooks && !isGlobal(node, orderedDict))) return false
    this.#hooks = node
    return this.#is(op.EMPTY_TUPLE) && this.#is(op.REDUCE) && this.#put()
  }

  #storageClass(): PickleGlobal | null {
    const node = this.#gotten()
    if (node === this.#cls) return this.#cls
    if (!isStorageClass(node)) return null
    this.#cls = node
    return node
  }

  /** What is taken from the memo; undefined when nothing is. */
  #gotten(): PickleNode | undefined {
    const at = this.#at
    const code = this.#bytes[at]
    const size = code === op.BINGET ? 1 : code === op.LONG_BINGET ? 4 : 0
    if (size === 0 || at + size >= this.#bytes.length) return undefined
    const number = this.#little(at + 1, size)
    this.#at = at + 1 + size
    return this.parts.includes(number) || number === this.keyIndex ? undefined : this.#memo.get(number)
  }

  /** Passes what puts the value before it into the memo, if that comes next. False for what the machine must look at. */
  #put(): boolean {
    const memoIndex = this.#memoIndex()
    if (memoIndex >= 0) this.parts.push(memoIndex)
    return memoIndex >= -1
  }

  /** -1 when nothing is put; -2 for what the machine must look at. */
  #memoIndex(): number {
    const at = this.#at
    const code = this.#bytes[at]
    const size = code === op.BINPUT ? 1 : code === op.LONG_BINPUT ? 4 : 0
    if (size === 0) return code === op.MEMOIZE ? this.#nextMemoIndex() : -1
    if (at + size >= this.#bytes.length) return -2
    this.#at = at + 1 + size
    this.#isNumbered = true
    return this.#little(at + 1, size)
  }

  /** MEMOIZE takes the next number that is free; where others are put by their numbers, that is the machine's to find. */
  #nextMemoIndex(): number {
    const memoIndex = this.#memo.size + this.parts.length + (this.keyIndex >= 0 ? 1 : 0)
    if (this.#isNumbered || this.#memo.get(memoIndex) !== undefined) return -2
    this.#at += 1
    return memoIndex
  }

  #key(): string | null {
    const isWritten = this.#bytes[this.#at] !== op.BINGET && this.#bytes[this.#at] !== op.LONG_BINGET
    const key = this.#text()
    if (key !== null && isWritten) this.keyIndex = this.#memoIndex()
    return this.keyIndex === -2 ? null : key
  }

  /** A text of ASCII, written out or taken from the memo; null for anything else. */
  #text(): string | null {
    const length = this.#textLength()
    if (length < 0) {
      const node = this.#gotten()
      return typeof node === 'string' ? node : null
    }
    const start = this.#at
    this.#at = start + length
    return this.#decimal(start, length) ?? this.#ascii(start, length)
  }

  /** Most keys are numbers: that is a quicker way to their text. */
  #decimal(start: number, length: number): string | null {
    const bytes = this.#bytes
    if (length === 0 || length > longestDecimal || (length > 1 && bytes[start] === zero)) return null
    let number = 0
    for (let at = start; at < start + length; at += 1) {
      const digit = (bytes[at] ?? 0) - zero
      if (digit < 0 || digit > 9) return null
      number = 10 * number + digit
    }
    return String(number)
  }

  /** Nearly always that of the tensor before. */
  #locationText(): string | null {
    if (this.#isText(this.#location)) return this.#location
    const location = this.#text()
    if (location !== null) this.#location = location
    return location
  }

  /** Passes a text of ASCII that is as expected, written out or taken from the memo; passes nothing else. */
  #isText(expected: string): boolean {
    const before = this.#at
    const length = this.#textLength()
    if (length === expected.length && this.#holds(expected)) {
      this.#at += length
      return true
    }
    if (length < 0 && this.#gotten() === expected) return true
    this.#at = before
    return false
  }

  #holds(expected: string): boolean {
    for (let index = 0; index < expected.length; index += 1) {
      if (this.#bytes[this.#at + index] !== expected.charCodeAt(index)) return false
    }
    return true
  }

  /** Bytes of a text that begins here, whose head is passed; -1, and nothing passed, for anything else. */
  #textLength(): number {
    const at = this.#at
    const code = this.#bytes[at]
    const size = code === op.SHORT_BINUNICODE ? 1 : code === op.BINUNICODE ? 4 : 0
    if (size === 0 || at + size >= this.#bytes.length) return -1
    const length = this.#little(at + 1, size)
    if (at + 1 + size + length > this.#bytes.length) return -1
    this.#at = at + 1 + size
    return length
  }

  #ascii(start: number, length: number): string | null {
    if (length > longestText) return null
    const end = start + length
    for (let at = start; at < end; at += 1) if ((this.#bytes[at] ?? 0x80) >= 0x80) return null
    return this.#buffer.toString('latin1', start, end)
  }

  /** A count; -1 for anything else. */
  #integer(): number {
    const at = this.#at
    const code = this.#bytes[at]
    const size = code === op.BININT1 ? 1 : code === op.BININT2 ? 2 : code === op.BININT ? 4 : 0
    if (size === 0 || at + size >= this.#bytes.length) return -1
    const value = this.#little(at + 1, size)
    // BININT is signed.
    if (value >= 2 ** 31) return -1
    this.#at = at + 1 + size
    return value
  }

  #little(at: number, size: number): number {
    const bytes = this.#bytes
    const low = bytes[at] ?? 0
    if (size === 1) return low
    const lower = low + 256 * (bytes[at + 1] ?? 0)
    return size === 2 ? lower : lower + 65_536 * ((bytes[at + 2] ?? 0) + 256 * (bytes[at + 3] ?? 0))
  }

  /** A tuple of counts; null for anything else. */
  #integers(): readonly number[] | null {
    const isMarked = this.#is(op.MARK)
    let count = 0
    for (let value = this.#integer(); value >= 0 && count <= mostDimensions; value = this.#integer()) {
      this.#numbers[count] = value
      count += 1
    }
    const isTuple = isMarked ? this.#is(op.TUPLE) : this.#is(tupleOf[count] ?? op.STOP)
    // There is only one empty tuple, and nobody keeps it.
    if (!isTuple || (count > 0 && !this.#put())) return null
    return this.#lists.of(this.#numbers, count)
  }
}

const tupleOf = [op.EMPTY_TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3]

const mostRecent = 256

/** Lists of numbers that were met lately, by what their numbers come to: of those that are alike one is kept. */
class RecentLists {
  readonly #lists = new Array<readonly number[]>(mostRecent).fill([])

  /** A list of the first `count` of `numbers`. */
  of(numbers: readonly number[], count: number): readonly number[] {
    let sum = count
    for (let index = 0; index < count; index += 1) sum = (31 * sum + (numbers[index] ?? 0)) | 0
    const slot = sum & (mostRecent - 1)
    const known = this.#lists[slot]
    if (known?.length === count && known.every((number, index) => number === numbers[index])) return known
    const list = numbers.slice(0, count)
    this.#lists[slot] = list
    return list
  }
}
