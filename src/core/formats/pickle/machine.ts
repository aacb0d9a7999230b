/**
 * A pickle machine that builds inert nodes (CPython Modules/_pickle.c is what it follows). It imports nothing and
 * calls nothing: a global is its name, a call is what would have been called. It walks no structure recursively, and
 * what it may build is bounded by the input's length and by `PickleLimits`.
 */
import { FormatError } from '../../errors.js'
import { PickleInput } from './input.js'
import { joblibArray } from './joblib-array.js'
import {
  globalName,
  type PickleBytes,
  type PickleGlobal,
  type PickleInstance,
  type PickleNode,
  type PicklePair,
  type PickleReference,
  type PickleSequence,
} from './nodes.js'
import { op, opcodeName } from './opcodes.js'
import { isTensorRebuilder, PlainTensors } from './plain-tensor.js'
import { decodeRawUnicode, decodeStringLiteral } from './text.js'

export interface PickleLimits {
  readonly opcodes: number
  /** What is built, and the stack and the memo beside it, in words of 8 bytes. An estimate. */
  readonly words: number
}

/**
 * What the pickle of a file may cost. A state dict takes four bytes of memory for each byte of its file, a list of
 * integers twenty for each of its pickle; a small file that wants more is packed to take what it can, and one that
 * wants more than a program has would end it.
 */
export function limitsFor(fileSize: number): PickleLimits {
  return {
    opcodes: leastLimits.opcodes + fileSize,
    words: Math.min(leastLimits.words + Math.floor(1.25 * fileSize), mostWords),
  }
}

/** Of a file of hardly any bytes: 40 MB, and what half a second reads. */
const leastLimits: PickleLimits = { opcodes: 4_000_000, words: 5_000_000 }
/** 2 GB, of 4 that Node has. */
const mostWords = 250_000_000

/** Characters of a class or function, with its module. */
const longestGlobal = 10_000
/** Levels, one within the other: Python's own pickler gives up at about a thousand. */
export const deepest = 20_000

/**
 * Words that each takes, beside its place in what holds it. An array that grows leaves its smaller selves behind for a
 * while, so a place counts twice.
 */
const cost = {
  ...{ number: 3, text: 5, object: 5, array: 6, instance: 12, pair: 8, tensor: 30, bytes: 24, slot: 2 },
  // The stack never shrinks, its levels lie beside it, and both leave their smaller selves behind.
  stacked: 8,
  // A map of its own, and a place in one.
  ...{ map: 40, mapped: 16 },
} as const

/** Opcodes between two looks at what was built: none adds more than a few words to it, but for a text, of which the input holds each byte. */
const glance = 1024

export interface Unpickled {
  readonly value: PickleNode
  /** The byte behind STOP: torch's legacy streams hold several pickles one after another. */
  readonly end: number
  /** Every reference to something outside, in the order met. */
  readonly persistents: readonly PickleReference[]
  readonly calls: PickleCalls
}

/** What Python would run while it reads a pickle. */
export interface PickleCalls {
  /** Every call and every object made, also those that were thrown away again, in the order met. */
  readonly instances: readonly PickleInstance[]
  /** Every class and function named, each once. */
  readonly globals: readonly PickleGlobal[]
  /** Of these, what it would put something into: a module's dict, a class. It breaks at the first. */
  readonly altered: readonly PickleGlobal[]
}

/**
 * Reads one pickle from `bytes`, from byte `start` on. Throws FormatError naming the byte; `PickleEndsEarly` when the
 * bytes run out.
 */
export function readPickle(bytes: Uint8Array, start = 0, limits: PickleLimits = limitsFor(bytes.length)): Unpickled {
  return newMachine((machine) => machine.run(), bytes, start, limits)
}

/**
 * The calls that a pickle makes, up to where it ends or breaks off: Python runs them as it goes. Never throws
 * FormatError.
 */
export function readCalls(bytes: Uint8Array): PickleCalls {
  return readUntilItBreaks(bytes).calls
}

/** False where the first byte is no opcode: then nothing is read, and nothing called. */
export function mayBeginPickle(bytes: Uint8Array): boolean {
  return Machine.knows(bytes[0])
}

/** What a pickle holds, or why it cannot be read, and what it calls up to there. */
export interface PickleSoFar {
  readonly read: Unpickled | FormatError
  readonly calls: PickleCalls
}

/** Reads one pickle once: each reading of a broken one may take all the memory that it is allowed. */
export function readUntilItBreaks(bytes: Uint8Array, limits: PickleLimits = limitsFor(bytes.length)): PickleSoFar {
  return newMachine((machine) => machine.runUntilItBreaks(), bytes, 0, limits)
}

/** The same as joblib reads it: what lies between the opcodes for its arrays is passed over. */
export function readAsJoblibDoes(bytes: Uint8Array, limits: PickleLimits = limitsFor(bytes.length)): PickleSoFar {
  return new Machine(new PickleInput(bytes, 0), limits, null, { isJoblib: true }).runUntilItBreaks()
}

function newMachine<T>(run: (machine: Machine) => T, bytes: Uint8Array, start: number, limits: PickleLimits): T {
  try {
    return run(new Machine(new PickleInput(bytes, start), limits, new PlainTensors(bytes)))
  } catch (error) {
    if (!(error instanceof PartWanted)) throw error
    return run(new Machine(new PickleInput(bytes, start), limits, null))
  }
}

/** More is done with a plain tensor than its short form can tell: all is to be read once more, node by node. */
class PartWanted extends Error {}

/** What nothing was put into yet: most objects stay so, and an array of their own would be half of what they take. */
const nothing: never[] = []
Object.freeze(nothing)

/** There is only one in Python too. */
const emptyTuple: PickleNode = { kind: 'tuple', items: nothing }

/** In the memo, where a part of a plain tensor would be. Nobody ever sees it. */
const notMade: PickleNode = { kind: 'tuple', items: nothing }

/** The integers that most are: shapes, strides, counts. Each is made once, when it is first met. */
const smallIntegers: bigint[] = []
const mostSmall = 1024

function integer(value: number): bigint {
  if (value < 0 || value >= mostSmall) return BigInt(value)
  return (smallIntegers[value] ??= BigInt(value))
}

type Step = (machine: Machine, input: PickleInput) => void

/** A table of all bytes, of which most are not opcodes. */
function byCode(steps: readonly (readonly [code: number, step: Step])[]): (Step | undefined)[] {
  const table = new Array<Step | undefined>(256).fill(undefined)
  for (const [code, step] of steps) table[code] = step
  return table
}

class Machine {
  /** What each opcode does, by its code. */
  static readonly #steps: readonly (Step | undefined)[] = byCode([
    [op.PROTO, (machine, input) => machine.#proto(input.uint8())],
    [op.FRAME, (machine, input) => machine.#frame(input.uint64())],
    [op.MARK, (machine) => machine.#markOrTensor()],
    [op.POP, (machine) => machine.#popAnything()],
    [op.POP_MARK, (machine) => machine.#popMark()],
    [op.DUP, (machine) => machine.#push(machine.#top())],

    [op.NONE, (machine) => machine.#push(null)],
    [op.NEWTRUE, (machine) => machine.#push(true)],
    [op.NEWFALSE, (machine) => machine.#push(false)],
    [op.BININT, (machine, input) => machine.#pushNumber(integer(input.int32()))],
    [op.BININT1, (machine, input) => machine.#push(integer(input.uint8()))],
    [op.BININT2, (machine, input) => machine.#pushNumber(integer(input.uint16()))],
    [op.LONG1, (machine, input) => machine.#pushNumber(input.long(input.uint8()))],
    [op.LONG4, (machine, input) => machine.#pushNumber(input.long(machine.#signedLength()))],
    [op.INT, (machine, input) => machine.#pushNumber(input.booleanLine() ?? input.integerLine())],
    [op.LONG, (machine, input) => machine.#pushNumber(input.integerLine())],
    [op.BINFLOAT, (machine, input) => machine.#pushNumber(input.float64())],
    [op.FLOAT, (machine) => machine.#pushNumber(machine.#float())],

    [op.SHORT_BINUNICODE, (machine, input) => machine.#pushText(input.text(input.uint8()))],
    [op.BINUNICODE, (machine, input) => machine.#pushText(input.text(input.uint32()))],
    [op.BINUNICODE8, (machine, input) => machine.#pushText(input.text(input.uint64()))],
    [op.UNICODE, (machine, input) => machine.#pushText(decodeRawUnicode(input.line()))],
    [op.STRING, (machine) => machine.#makeBytes('string', machine.#stringLiteral())],
    [op.SHORT_BINSTRING, (machine, input) => machine.#makeBytes('string', input.bytes(input.uint8()))],
    [op.BINSTRING, (machine, input) => machine.#makeBytes('string', input.bytes(machine.#signedLength()))],
    [op.SHORT_BINBYTES, (machine, input) => machine.#makeBytes('bytes', input.bytes(input.uint8()))],
    [op.BINBYTES, (machine, input) => machine.#makeBytes('bytes', input.bytes(input.uint32()))],
    [op.BINBYTES8, (machine, input) => machine.#makeBytes('bytes', input.bytes(input.uint64()))],
    [op.BYTEARRAY8, (machine, input) => machine.#makeBytes('bytearray', input.bytes(input.uint64()))],

    [op.EMPTY_TUPLE, (machine) => machine.#push(emptyTuple)],
    [op.TUPLE1, (machine) => machine.#makeSequence('tuple', machine.#popMany(1))],
    [op.TUPLE2, (machine) => machine.#makeSequence('tuple', machine.#popMany(2))],
    [op.TUPLE3, (machine) => machine.#makeSequence('tuple', machine.#popMany(3))],
    [op.TUPLE, (machine) => machine.#makeSequence('tuple', machine.#popMark())],
    [op.EMPTY_LIST, (machine) => machine.#makeEmpty({ kind: 'list', items: nothing })],
    [op.LIST, (machine) => machine.#makeSequence('list', machine.#popMark())],
    [op.EMPTY_SET, (machine) => machine.#makeEmpty({ kind: 'set', items: nothing })],
    [op.FROZENSET, (machine) => machine.#makeSequence('frozenset', machine.#popMark())],
    [op.EMPTY_DICT, (machine) => machine.#makeEmpty({ kind: 'dict', entries: nothing })],
    [op.DICT, (machine) => machine.#makeDict(machine.#popMark())],

    [op.APPEND, (machine) => machine.#append(machine.#popMany(1))],
    [op.APPENDS, (machine) => machine.#append(machine.#popMark())],
    [op.ADDITEMS, (machine) => machine.#append(machine.#popMark())],
    [op.SETITEM, (machine) => machine.#setItems(machine.#popMany(2))],
    [op.SETITEMS, (machine) => machine.#setItems(machine.#popMark())],

    [op.GLOBAL, (machine, input) => machine.#push(machine.#global(input.textLine(), input.textLine()))],
    [op.STACK_GLOBAL, (machine) => machine.#stackGlobal()],
    [op.REDUCE, (machine) => machine.#instance('call')],
    [op.NEWOBJ, (machine) => machine.#instance('object')],
    [op.NEWOBJ_EX, (machine) => machine.#instanceWithKeywords()],
    [
      op.INST,
      (machine, input) => machine.#oldInstance(machine.#global(input.textLine(), input.textLine()), machine.#popMark()),
    ],
    [op.OBJ, (machine) => machine.#oldObject(machine.#popMark())],
    [op.BUILD, (machine) => machine.#build()],
    [op.BINPERSID, (machine) => machine.#persistent()],
    [op.PERSID, (machine, input) => machine.#persistentByName(input.textLine())],

    [op.BINPUT, (machine, input) => machine.#memo.set(input.uint8(), machine.#top())],
    [op.LONG_BINPUT, (machine, input) => machine.#memo.set(input.uint32(), machine.#top())],
    [op.PUT, (machine, input) => machine.#memo.set(input.indexLine(), machine.#top())],
    [op.MEMOIZE, (machine) => machine.#memo.set(machine.#memo.size, machine.#top())],
    [op.BINGET, (machine, input) => machine.#get(input.uint8())],
    [op.LONG_BINGET, (machine, input) => machine.#get(input.uint32())],
    [op.GET, (machine, input) => machine.#get(input.indexLine())],

    [op.EXT1, (machine) => machine.#refuse(op.EXT1, 'a registry of the program that wrote it')],
    [op.EXT2, (machine) => machine.#refuse(op.EXT2, 'a registry of the program that wrote it')],
    [op.EXT4, (machine) => machine.#refuse(op.EXT4, 'a registry of the program that wrote it')],
    [op.NEXT_BUFFER, (machine) => machine.#refuse(op.NEXT_BUFFER, 'a buffer outside of the file')],
    // It changes nothing but who may write into the value.
    [op.READONLY_BUFFER, (machine) => void machine.#top()],
  ])

  readonly #input: PickleInput
  readonly #limits: PickleLimits
  readonly #plainTensors: PlainTensors | null
  readonly #memo = new Memo()
  readonly #persistents: PickleReference[] = []
  readonly #instances: PickleInstance[]
  readonly #altered: PickleGlobal[]
  readonly #globals: Globals
  readonly #isJoblib: boolean
  /** What lies above `#height` was taken. */
  readonly #stack: PickleNode[] = []
  /** Levels within each value on the stack, as far as is known: of what comes from the memo they are not. */
  #levels = new Int32Array(64)
  #height = 0
  /** Levels within what was popped last. */
  #popped = 0
  /** What lies below belongs to the last mark's surroundings. */
  #floor = 0
  /** Where in the stack each open mark lies. */
  readonly #marks: number[] = []
  /** The byte of the opcode at work. */
  #at = 0
  /** The function that makes plain tensors, once it was met. */
  #rebuilder: PickleGlobal | null = null
  /** Words taken by what was built. */
  #built: number
  /** The byte behind the last frame. */
  #frameEnd = 0

  /** `plainTensors` is null where every tensor is to be made node by node. */
  static knows(code: number | undefined): boolean {
    return code !== undefined && (code === op.STOP || Machine.#steps[code] !== undefined)
  }

  /** `within`: the machine that meets this pickle in the middle of its own, and keeps what is called. */
  constructor(
    input: PickleInput,
    limits: PickleLimits,
    plainTensors: PlainTensors | null,
    { within, isJoblib = false }: { readonly within?: Machine; readonly isJoblib?: boolean } = {},
  ) {
    this.#input = input
    this.#limits = limits
    this.#plainTensors = plainTensors
    this.#isJoblib = isJoblib
    this.#instances = within === undefined ? [] : within.#instances
    this.#altered = within === undefined ? [] : within.#altered
    this.#globals = within === undefined ? new Globals() : within.#globals
    this.#built = within === undefined ? 0 : within.#built
  }

  run(): Unpickled {
    const input = this.#input
    const steps = Machine.#steps
    const most = this.#limits.opcodes
    for (let count = 0; count < most; count += 1) {
      if (count % glance === 0) this.#checkWords()
      this.#at = input.position
      const code = input.uint8()
      if (code === op.STOP) return this.#finish()
      const step = steps[code]
      if (step === undefined) throw this.#fail(`${opcodeName(code)} is not an opcode`)
      step(this, input)
    }
    throw this.#unfollowed(`more than ${most} opcodes`)
  }

  /** With what it would have called until it came to its end, or broke. */
  runUntilItBreaks(): PickleSoFar {
    try {
      const read = this.run()
      return { read, calls: read.calls }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      return { read: error, calls: this.calls }
    }
  }

  get calls(): PickleCalls {
    return { instances: this.#instances, globals: this.#globals.all, altered: this.#altered }
  }

  #checkWords(): void {
    const slots = cost.stacked * (this.#stack.length + this.#marks.length) + cost.slot * this.#memo.slots
    const words = this.#built + this.#globals.words + slots
    if (words > this.#limits.words) {
      throw this.#unfollowed(`what it builds takes more than ${this.#limits.words * 8} bytes`)
    }
  }

  #finish(): Unpickled {
    const value = this.#pop()
    return { value, end: this.#input.position, persistents: this.#persistents, calls: this.calls }
  }

  #fail(message: string): FormatError {
    return this.#input.fail(message, this.#at)
  }

  #doubtful(message: string): FormatError {
    return this.#input.doubtful(message, this.#at)
  }

  #unfollowed(message: string): FormatError {
    return this.#input.unfollowed(message, this.#at)
  }

  #push(node: PickleNode, levels = 0): void {
    if (this.#height === this.#levels.length) this.#levels = doubled(this.#levels)
    this.#stack[this.#height] = node
    this.#levels[this.#height] = levels
    this.#height += 1
  }

  #pushNumber(value: PickleNode): void {
    this.#built += cost.number
    this.#push(value)
  }

  #pushText(text: string): void {
    this.#built += cost.text + (text.length >> 3)
    this.#push(text)
  }

  /** Pushes what holds what was popped last. */
  #pushHolder(node: PickleNode): void {
    this.#push(node, this.#deeper(0))
  }

  /** Levels of what has `own` and now holds what was popped last. */
  #deeper(own: number): number {
    const levels = this.#popped + 1
    if (levels > deepest) throw this.#unfollowed(`builds more than ${deepest} levels, one within the other`)
    return levels > own ? levels : own
  }

  /** To be called when something was put into the top of the stack. */
  #deepenTop(): void {
    const top = this.#height - 1
    this.#levels[top] = this.#deeper(this.#levels[top] ?? 0)
  }

  #makeBytes(kind: PickleBytes['kind'], bytes: Uint8Array): void {
    this.#built += cost.bytes + (bytes.length >> 3)
    this.#push({ kind, bytes })
  }

  #makeEmpty(node: PickleNode): void {
    this.#built += cost.object
    this.#push(node)
  }

  #makeSequence(kind: PickleSequence['kind'], items: PickleNode[]): void {
    this.#built += cost.object
    this.#pushHolder({ kind, items })
  }

  #makeDict(nodes: readonly PickleNode[]): void {
    this.#built += cost.object + cost.array
    this.#pushHolder({ kind: 'dict', entries: this.#pairs(nodes) })
  }

  #pop(): PickleNode {
    if (this.#height <= this.#floor) throw this.#fail('takes a value from an empty stack')
    this.#height -= 1
    this.#popped = this.#levels[this.#height] ?? 0
    return this.#stack[this.#height] ?? null
  }

  #top(): PickleNode {
    if (this.#height <= this.#floor) throw this.#fail('needs a value on an empty stack')
    return this.#stack[this.#height - 1] ?? null
  }

  /** A mark behind the name of a function that makes tensors begins its arguments. */
  #markOrTensor(): void {
    const callee = this.#height > this.#floor ? this.#stack[this.#height - 1] : undefined
    if (typeof callee !== 'object' || callee?.kind !== 'global' || !this.#plainTensor(callee)) this.#mark()
  }

  /** Puts a tensor in its function's place and goes on behind it, if one follows that is described plainly. */
  #plainTensor(callee: PickleGlobal): boolean {
    const plain = this.#plainTensors
    if (plain === null || !(callee === this.#rebuilder || isTensorRebuilder(callee))) return false
    this.#rebuilder = callee
    const tensor = plain.read(this.#input.position, this.#persistents.length, this.#memo)
    if (tensor === null) return false
    this.#input.position = plain.end
    this.#built += cost.tensor + 2 * cost.slot * tensor.shape.length
    this.#persistents.push(tensor)
    if (plain.keyIndex >= 0) this.#memo.set(plain.keyIndex, tensor.key)
    for (const memoIndex of plain.parts) this.#memo.set(memoIndex, notMade)
    this.#height -= 1
    // Its arguments, and in them the id and what that holds.
    this.#popped = 3
    this.#pushHolder(tensor)
    return true
  }

  #mark(): void {
    this.#marks.push(this.#height)
    this.#floor = this.#height
  }

  /** The values above the last mark, which is taken away. */
  #popMark(): PickleNode[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#fail('needs a mark, and there is none')
    this.#floor = this.#marks.at(-1) ?? 0
    return this.#popTo(mark)
  }

  #popMany(count: number): PickleNode[] {
    if (this.#height - this.#floor < count) throw this.#fail(`needs ${count} values on the stack`)
    return this.#popTo(this.#height - count)
  }

  #popTo(height: number): PickleNode[] {
    const before = this.#height
    const count = before - height
    this.#built += cost.array + cost.slot * count
    if (count > glance) this.#checkWords()
    this.#height = height
    let levels = 0
    for (let at = height; at < before; at += 1) {
      const one = this.#levels[at] ?? 0
      if (one > levels) levels = one
    }
    this.#popped = levels
    return this.#stack.slice(height, before)
  }

  #popAnything(): void {
    if (this.#height > this.#floor) this.#pop()
    else this.#popMark()
  }

  #refuse(code: number, what: string): never {
    throw this.#doubtful(`${opcodeName(code)} refers to ${what}`)
  }

  #proto(version: number): void {
    if (version > 5) throw this.#fail(`protocol ${version}; 0 to 5 are known`)
  }

  #frame(length: number): void {
    const left = this.#input.length - this.#input.position
    if (length > left) this.#input.skip(length)
    this.#frameEnd = this.#input.position + length
  }

  #signedLength(): number {
    const length = this.#input.int32()
    if (length < 0) throw this.#fail(`a length of ${length} bytes`)
    return length
  }

  #float(): number {
    const text = this.#input.numberLine()
    const [, sign, word] = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(text) ?? []
    if (word !== undefined) return word.toLowerCase() === 'nan' ? NaN : sign === '-' ? -Infinity : Infinity
    const plain = text.replace(/(?<=[0-9])_(?=[0-9])/g, '')
    if (!/^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?$/i.test(plain)) {
      throw this.#doubtful(`${JSON.stringify(text.slice(0, 40))} is not a number`)
    }
    return Number(plain)
  }

  #stringLiteral(): Uint8Array {
    const bytes = decodeStringLiteral(this.#input.line())
    if (bytes === undefined) throw this.#doubtful('a string without its quotes')
    return bytes
  }

  #pairs(nodes: readonly PickleNode[]): PicklePair[] {
    if (nodes.length % 2 !== 0) throw this.#fail(`${nodes.length} values are not key and value pairs`)
    this.#built += (nodes.length / 2) * cost.pair
    if (nodes.length > glance) this.#checkWords()
    const pairs: PicklePair[] = []
    for (let at = 0; at < nodes.length; at += 2) pairs.push([nodes[at] ?? null, nodes[at + 1] ?? null])
    return pairs
  }

  /** The top of the stack, into which something is to be put. */
  #target(): PickleNode {
    const target = this.#top()
    if (typeof target !== 'object' || target === null) return target
    if (target.kind === 'tensor') throw new PartWanted()
    if (target.kind === 'global') this.#altered.push(target)
    return target
  }

  /** Nothing can be put into anything, and bytes into a bytearray. */
  #append(nodes: PickleNode[]): void {
    if (nodes.length === 0) return void this.#top()
    const target = this.#target()
    if (isBytearray(target)) return
    if (typeof target !== 'object' || target === null || !('items' in target))
      throw this.#doubtful('appends to no list')
    if (target.kind === 'tuple' || target.kind === 'frozenset') throw this.#doubtful(`appends to a ${target.kind}`)
    target.items = extended(target.items, nodes)
    this.#deepenTop()
  }

  /** What a list holds is set by its place. */
  #setItems(nodes: readonly PickleNode[]): void {
    if (nodes.length === 0) return void this.#top()
    const target = this.#target()
    if (isBytearray(target)) return
    if (typeof target === 'object' && target?.kind === 'list') {
      const values = this.#pairs(nodes).map(([, value]) => value)
      target.items = extended(target.items, values)
      this.#deepenTop()
      return
    }
    if (typeof target !== 'object' || target === null || !('entries' in target))
      throw this.#doubtful('sets keys of no dict')
    target.entries = extended(target.entries, this.#pairs(nodes))
    this.#deepenTop()
  }

  #stackGlobal(): void {
    const name = this.#pop()
    const module = this.#pop()
    if (typeof module === 'string' && typeof name === 'string') {
      this.#push(this.#global(module, name))
      return
    }
    const isMade = [module, name].some(isMadeByCall)
    if (isMade) throw this.#unfollowed('names a class or function by what a call gives')
    throw this.#doubtful('names a global by what is not text')
  }

  #global(module: string, name: string): PickleGlobal {
    if (module.length + name.length > longestGlobal) {
      throw this.#unfollowed(`names a class or function by ${module.length + name.length} characters`)
    }
    return this.#globals.of(module, name)
  }

  /** Callee and arguments lie on the stack. */
  #instance(kind: PickleInstance['kind'], keywords: PickleNode = null, levels = 0): void {
    const args = this.#pop()
    const inner = Math.max(levels, this.#popped)
    const callee = this.#pop()
    this.#popped = Math.max(inner, this.#popped)
    this.#makeInstance(kind, callee, args, keywords)
  }

  #instanceWithKeywords(): void {
    const keywords = this.#pop()
    this.#instance('object', keywords, this.#popped)
  }

  /** Its levels are those of what was popped last. */
  #makeInstance(kind: PickleInstance['kind'], callee: PickleNode, args: PickleNode, keywords: PickleNode): void {
    this.#built += cost.instance
    const node: PickleInstance = {
      kind,
      callee,
      args,
      keywords,
      states: nothing,
      items: nothing,
      entries: nothing,
    }
    this.#instances.push(node)
    this.#pushHolder(node)
  }

  #oldInstance(callee: PickleNode, items: PickleNode[]): void {
    this.#built += cost.object
    this.#makeInstance('object', callee, { kind: 'tuple', items }, null)
  }

  #oldObject(items: PickleNode[]): void {
    const callee = items.shift()
    if (callee === undefined) throw this.#fail('makes an object of no class')
    this.#oldInstance(callee, items)
  }

  #build(): void {
    const state = this.#pop()
    const target = this.#target()
    if (typeof target !== 'object' || target === null || !('states' in target)) {
      if (isNoState(state)) return
      throw this.#doubtful('gives a state to what has none')
    }
    this.#built += cost.array + cost.slot
    target.states = extended(target.states, [state])
    this.#deepenTop()
    if (this.#isJoblib) this.#passArray(target)
  }

  /** Python's own reader takes what lies behind an array's wrapper from behind the frame. */
  #passArray(wrapper: PickleInstance): void {
    const array = joblibArray(wrapper)
    if (array === null) return
    if (array === undefined || this.#frameEnd > this.#input.position) {
      throw this.#unfollowed('what lies behind it for an array of joblib cannot be told')
    }
    if (array.holds === 'bytes') {
      if (array.isPadded) this.#input.skip(this.#input.uint8())
      this.#input.skip(array.length)
      return
    }
    const inner = new Machine(this.#input, this.#limits, null, { within: this })
    inner.run()
    this.#built = inner.#built
  }

  /** Its id lies on the stack. */
  #persistent(): void {
    this.#built += cost.object + cost.slot
    const node = { kind: 'persistent', id: this.#pop(), index: this.#persistents.length } as const
    this.#persistents.push(node)
    this.#pushHolder(node)
  }

  #persistentByName(name: string): void {
    this.#pushText(name)
    this.#persistent()
  }

  #get(index: number): void {
    const node = this.#memo.get(index)
    if (node === undefined) throw this.#fail(`takes number ${index} from the memo, which is not there`)
    if (node === notMade) throw new PartWanted()
    this.#push(node)
  }
}

/** What a call gives may be a text, but of a few functions and classes. */
function isMadeByCall(node: PickleNode): boolean {
  if (typeof node !== 'object' || node === null) return false
  if (!('callee' in node)) return node.kind === 'tensor'
  // An object is of its class, and a text of str alone.
  if (node.kind === 'object' && !/^(?:builtins|__builtin__|_?operator)\./.test(globalName(node.callee) ?? 'builtins.'))
    return false
  return !neverText.test(globalName(node.callee) ?? '')
}

/** As they stand beside joblib's arrays: a plain reading takes the pickles in between for a part of the whole. */
const neverText =
  /^(?:numpy\.(?:dtype|ndarray|_?core\.multiarray\._reconstruct|_?core\.numeric\._frombuffer)|_codecs\.encode|joblib\.numpy_pickle\.NumpyArrayWrapper)$/

function isBytearray(node: PickleNode): boolean {
  return typeof node === 'object' && node?.kind === 'bytearray'
}

/** What is false in Python is set nowhere, nor is a pair of such (a state, and one of slots). */
function isNoState(node: PickleNode): boolean {
  if (typeof node === 'object' && node?.kind === 'tuple' && node.items.length === 2) return node.items.every(isFalse)
  return isFalse(node)
}

function isFalse(node: PickleNode): boolean {
  if (typeof node !== 'object' || node === null) return !node
  if ('states' in node) return false
  if ('entries' in node) return node.entries.length === 0
  return 'items' in node && node.items.length === 0
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length)
  larger.set(array)
  return larger
}

/** One node for each class or function, however often it is named. */
class Globals {
  readonly all: PickleGlobal[] = []
  readonly #byModule = new Map<string, Map<string, PickleGlobal>>()
  /** Taken by them all. */
  words = 0

  of(module: string, name: string): PickleGlobal {
    let named = this.#byModule.get(module)
    if (named === undefined) {
      named = new Map()
      this.#byModule.set(module, named)
      this.words += cost.text + cost.map
    }
    const known = named.get(name)
    if (known !== undefined) return known
    const node: PickleGlobal = { kind: 'global', module, name }
    named.set(name, node)
    this.all.push(node)
    this.words += cost.text + cost.object + cost.mapped
    return node
  }
}

/** `own` with `more` behind it; an array that is still `nothing` is left as it is. */
function extended<T>(own: T[], more: T[]): T[] {
  if (own === nothing) return more
  for (const one of more) own.push(one)
  return own
}

/** Numbers follow one another where nobody means harm: those lie in a list, whatever else comes in a map. */
class Memo {
  readonly #listed: (PickleNode | undefined)[] = []
  readonly #others = new Map<number, PickleNode>()
  /** Of the numbers that are taken, from which MEMOIZE goes on. */
  size = 0

  /** Taken by it in memory: a map takes more than a list. */
  get slots(): number {
    return this.#listed.length + 4 * this.#others.size
  }

  set(index: number, node: PickleNode): void {
    if (this.get(index) === undefined) this.size += 1
    // Python 2 begins at 1.
    if (index === this.#listed.length + 1) this.#listed.push(undefined)
    if (index <= this.#listed.length) this.#listed[index] = node
    else this.#others.set(index, node)
  }

  get(index: number): PickleNode | undefined {
    // To read beyond the end of a list costs more than all else that a pickle does.
    const listed = index < this.#listed.length ? this.#listed[index] : undefined
    return listed === undefined ? this.#others.get(index) : listed
  }
}
