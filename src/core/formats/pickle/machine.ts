/**
 * A pickle machine that builds inert nodes (CPython Modules/_pickle.c is what it follows). It imports nothing and
 * calls nothing: a global is its name, a call is what would have been called. It walks no structure recursively, and
 * what it may build is bounded by the input's length and by `PickleLimits`.
 */
import { FormatError } from '../../errors.js'
import { PickleInput } from './input.js'
import type { PickleInstance, PickleNode, PicklePair, PicklePersistent } from './nodes.js'
import { op, opcodeName } from './opcodes.js'
import { decodeRawUnicode, decodeStringLiteral } from './text.js'

export interface PickleLimits {
  readonly opcodes: number
  /** Objects built: lists, tuples, instances and the like. */
  readonly objects: number
}

/** A state dict of 100,000 tensors takes 2.5 million opcodes and 0.8 million objects. */
export const defaultLimits: PickleLimits = { opcodes: 50_000_000, objects: 5_000_000 }

export interface Unpickled {
  readonly value: PickleNode
  /** The byte behind STOP: torch's legacy streams hold several pickles one after another. */
  readonly end: number
  /** Every reference to something outside, in the order met. */
  readonly persistents: readonly PicklePersistent[]
  /** Every call and every object made, also those that were thrown away again, in the order met. */
  readonly instances: readonly PickleInstance[]
}

/**
 * Reads one pickle from `bytes`, from byte `start` on. Throws FormatError naming the byte; `PickleEndsEarly` when the
 * bytes run out.
 */
export function readPickle(bytes: Uint8Array, start = 0, limits: PickleLimits = defaultLimits): Unpickled {
  return new Machine(new PickleInput(bytes, start), limits).run()
}

/**
 * The calls that a pickle makes, up to where it ends or breaks off: Python runs them as it goes. Never throws
 * FormatError.
 */
export function readCalls(bytes: Uint8Array): readonly PickleInstance[] {
  const machine = new Machine(new PickleInput(bytes, 0), defaultLimits)
  try {
    machine.run()
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
  }
  return machine.instances
}

class Machine {
  readonly #input: PickleInput
  readonly #limits: PickleLimits
  readonly #memo = new Map<number, PickleNode>()
  readonly #persistents: PicklePersistent[] = []
  readonly #instances: PickleInstance[] = []
  #stack: PickleNode[] = []
  /** Where in the stack each open mark lies. */
  readonly #marks: number[] = []
  /** The byte of the opcode at work. */
  #at = 0
  #objects = 0

  constructor(input: PickleInput, limits: PickleLimits) {
    this.#input = input
    this.#limits = limits
  }

  run(): Unpickled {
    for (let count = 0; ; count++) {
      if (count >= this.#limits.opcodes) throw this.#fail(`more than ${this.#limits.opcodes} opcodes`)
      this.#at = this.#input.position
      const code = this.#input.uint8()
      if (code === op.STOP) return this.#finish()
      this.#step(code)
    }
  }

  get instances(): readonly PickleInstance[] {
    return this.#instances
  }

  #finish(): Unpickled {
    const value = this.#pop()
    return { value, end: this.#input.position, persistents: this.#persistents, instances: this.#instances }
  }

  #fail(message: string): FormatError {
    return this.#input.fail(message, this.#at)
  }

  #push(node: PickleNode): void {
    this.#stack.push(node)
  }

  #make(node: PickleNode): void {
    this.#objects++
    if (this.#objects > this.#limits.objects) throw this.#fail(`more than ${this.#limits.objects} objects`)
    this.#stack.push(node)
  }

  #pop(): PickleNode {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#fail('takes a value from an empty stack')
    return this.#stack.pop() ?? null
  }

  #top(): PickleNode {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#fail('needs a value on an empty stack')
    return this.#stack.at(-1) ?? null
  }

  /** The values above the last mark, which is taken away. */
  #popMark(): PickleNode[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#fail('needs a mark, and there is none')
    return this.#stack.splice(mark)
  }

  #popMany(count: number): PickleNode[] {
    if (this.#stack.length - (this.#marks.at(-1) ?? 0) < count) throw this.#fail(`needs ${count} values on the stack`)
    return this.#stack.splice(this.#stack.length - count)
  }

  #step(code: number): void {
    const input = this.#input
    switch (code) {
      case op.PROTO: {
        this.#proto(input.uint8())
        return
      }
      case op.FRAME: {
        this.#frame(input.uint64())
        return
      }
      case op.MARK:
        this.#marks.push(this.#stack.length)
        return
      case op.POP:
        if (this.#stack.length > (this.#marks.at(-1) ?? 0)) this.#stack.pop()
        else this.#popMark()
        return
      case op.POP_MARK:
        this.#popMark()
        return
      case op.DUP: {
        this.#push(this.#top())
        return
      }

      case op.NONE: {
        this.#push(null)
        return
      }
      case op.NEWTRUE: {
        this.#push(true)
        return
      }
      case op.NEWFALSE: {
        this.#push(false)
        return
      }
      case op.BININT: {
        this.#push(BigInt(input.int32()))
        return
      }
      case op.BININT1: {
        this.#push(BigInt(input.uint8()))
        return
      }
      case op.BININT2: {
        this.#push(BigInt(input.uint16()))
        return
      }
      case op.LONG1: {
        this.#push(input.long(input.uint8()))
        return
      }
      case op.LONG4: {
        this.#push(input.long(this.#signedLength()))
        return
      }
      case op.INT: {
        this.#push(this.#int())
        return
      }
      case op.LONG: {
        this.#push(input.integerLine())
        return
      }
      case op.BINFLOAT: {
        this.#push(input.float64())
        return
      }
      case op.FLOAT: {
        this.#push(this.#float())
        return
      }

      case op.SHORT_BINUNICODE: {
        this.#push(input.text(input.uint8()))
        return
      }
      case op.BINUNICODE: {
        this.#push(input.text(input.uint32()))
        return
      }
      case op.BINUNICODE8: {
        this.#push(input.text(input.uint64()))
        return
      }
      case op.UNICODE: {
        this.#push(decodeRawUnicode(input.line()))
        return
      }
      case op.STRING: {
        this.#make({ kind: 'string', bytes: this.#stringLiteral() })
        return
      }
      case op.SHORT_BINSTRING: {
        this.#make({ kind: 'string', bytes: input.bytes(input.uint8()) })
        return
      }
      case op.BINSTRING: {
        this.#make({ kind: 'string', bytes: input.bytes(this.#signedLength()) })
        return
      }
      case op.SHORT_BINBYTES: {
        this.#make({ kind: 'bytes', bytes: input.bytes(input.uint8()) })
        return
      }
      case op.BINBYTES: {
        this.#make({ kind: 'bytes', bytes: input.bytes(input.uint32()) })
        return
      }
      case op.BINBYTES8: {
        this.#make({ kind: 'bytes', bytes: input.bytes(input.uint64()) })
        return
      }
      case op.BYTEARRAY8: {
        this.#make({ kind: 'bytearray', bytes: input.bytes(input.uint64()) })
        return
      }

      case op.EMPTY_TUPLE: {
        this.#make({ kind: 'tuple', items: [] })
        return
      }
      case op.TUPLE1: {
        this.#make({ kind: 'tuple', items: this.#popMany(1) })
        return
      }
      case op.TUPLE2: {
        this.#make({ kind: 'tuple', items: this.#popMany(2) })
        return
      }
      case op.TUPLE3: {
        this.#make({ kind: 'tuple', items: this.#popMany(3) })
        return
      }
      case op.TUPLE: {
        this.#make({ kind: 'tuple', items: this.#popMark() })
        return
      }
      case op.EMPTY_LIST: {
        this.#make({ kind: 'list', items: [] })
        return
      }
      case op.LIST: {
        this.#make({ kind: 'list', items: this.#popMark() })
        return
      }
      case op.EMPTY_SET: {
        this.#make({ kind: 'set', items: [] })
        return
      }
      case op.FROZENSET: {
        this.#make({ kind: 'frozenset', items: this.#popMark() })
        return
      }
      case op.EMPTY_DICT: {
        this.#make({ kind: 'dict', entries: [] })
        return
      }
      case op.DICT: {
        this.#make({ kind: 'dict', entries: this.#pairs(this.#popMark()) })
        return
      }

      case op.APPEND: {
        this.#append([this.#pop()])
        return
      }
      case op.APPENDS:
      case op.ADDITEMS: {
        this.#append(this.#popMark())
        return
      }
      case op.SETITEM: {
        this.#setItems(this.#popMany(2))
        return
      }
      case op.SETITEMS: {
        this.#setItems(this.#popMark())
        return
      }

      case op.GLOBAL: {
        this.#make({ kind: 'global', module: input.textLine(), name: input.textLine() })
        return
      }
      case op.STACK_GLOBAL: {
        this.#stackGlobal()
        return
      }
      case op.REDUCE: {
        this.#instance('call', this.#popMany(2))
        return
      }
      case op.NEWOBJ: {
        this.#instance('object', this.#popMany(2))
        return
      }
      case op.NEWOBJ_EX: {
        this.#instance('object', this.#popMany(3))
        return
      }
      case op.INST: {
        this.#oldInstance({ kind: 'global', module: input.textLine(), name: input.textLine() }, this.#popMark())
        return
      }
      case op.OBJ: {
        this.#oldObject(this.#popMark())
        return
      }
      case op.BUILD: {
        this.#build()
        return
      }
      case op.BINPERSID: {
        this.#persistent(this.#pop())
        return
      }
      case op.PERSID: {
        this.#persistent(input.textLine())
        return
      }

      case op.BINPUT: {
        this.#put(input.uint8())
        return
      }
      case op.LONG_BINPUT: {
        this.#put(input.uint32())
        return
      }
      case op.PUT: {
        this.#put(input.indexLine())
        return
      }
      case op.MEMOIZE: {
        this.#put(this.#memo.size)
        return
      }
      case op.BINGET: {
        this.#get(input.uint8())
        return
      }
      case op.LONG_BINGET: {
        this.#get(input.uint32())
        return
      }
      case op.GET: {
        this.#get(input.indexLine())
        return
      }

      case op.EXT1:
      case op.EXT2:
      case op.EXT4:
        throw this.#fail(`${opcodeName(code)} refers to a registry of the program that wrote it`)
      case op.NEXT_BUFFER:
      case op.READONLY_BUFFER:
        throw this.#fail(`${opcodeName(code)} refers to a buffer outside of the file`)
      default:
        throw this.#fail(`${opcodeName(code)} is no opcode`)
    }
  }

  #proto(version: number): void {
    if (version > 5) throw this.#fail(`protocol ${version}; 0 to 5 are known`)
  }

  #frame(length: number): void {
    const left = this.#input.length - this.#input.position
    if (length > left) this.#input.skip(length)
  }

  #signedLength(): number {
    const length = this.#input.int32()
    if (length < 0) throw this.#fail(`a length of ${length} bytes`)
    return length
  }

  /** `I00` and `I01` are how protocol 0 writes booleans. */
  #int(): PickleNode {
    const at = this.#input.position
    const line = Buffer.from(this.#input.line()).toString('latin1')
    if (line === '00' || line === '01') return line === '01'
    this.#input.position = at
    return this.#input.integerLine()
  }

  #float(): number {
    const text = this.#input.textLine().trim().toLowerCase()
    const special = new Map([
      ['nan', NaN],
      ['-nan', NaN],
      ['inf', Infinity],
      ['-inf', -Infinity],
    ]).get(text)
    if (special !== undefined) return special
    if (!/^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?$/.test(text)) {
      throw this.#fail(`${JSON.stringify(text.slice(0, 40))} is no number`)
    }
    return Number(text)
  }

  #stringLiteral(): Uint8Array {
    const bytes = decodeStringLiteral(this.#input.line())
    if (bytes === undefined) throw this.#fail('a string without its quotes')
    return bytes
  }

  #pairs(nodes: readonly PickleNode[]): PicklePair[] {
    if (nodes.length % 2 !== 0) throw this.#fail(`${nodes.length} values are no key and value pairs`)
    const pairs: PicklePair[] = []
    for (let at = 0; at < nodes.length; at += 2) pairs.push([nodes[at] ?? null, nodes[at + 1] ?? null])
    return pairs
  }

  #append(nodes: readonly PickleNode[]): void {
    const target = this.#top()
    if (typeof target !== 'object' || target === null || !('items' in target)) throw this.#fail('appends to no list')
    if (target.kind === 'tuple' || target.kind === 'frozenset') throw this.#fail(`appends to a ${target.kind}`)
    for (const node of nodes) target.items.push(node)
  }

  #setItems(nodes: readonly PickleNode[]): void {
    const target = this.#top()
    if (typeof target !== 'object' || target === null || !('entries' in target))
      throw this.#fail('sets keys of no dict')
    for (const pair of this.#pairs(nodes)) target.entries.push(pair)
  }

  #stackGlobal(): void {
    const [module, name] = this.#popMany(2)
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#fail('names a global by what is no text')
    this.#make({ kind: 'global', module, name })
  }

  #instance(kind: PickleInstance['kind'], [callee = null, args = null, keywords = null]: readonly PickleNode[]): void {
    const node: PickleInstance = { kind, callee, args, keywords, states: [], items: [], entries: [] }
    this.#instances.push(node)
    this.#make(node)
  }

  #oldInstance(callee: PickleNode, items: PickleNode[]): void {
    this.#objects++
    this.#instance('object', [callee, { kind: 'tuple', items }])
  }

  #oldObject([callee, ...items]: readonly PickleNode[]): void {
    if (callee === undefined) throw this.#fail('makes an object of no class')
    this.#oldInstance(callee, items)
  }

  #build(): void {
    const state = this.#pop()
    const target = this.#top()
    if (typeof target !== 'object' || target === null || !('states' in target)) {
      throw this.#fail('gives a state to what has none')
    }
    target.states.push(state)
  }

  #persistent(id: PickleNode): void {
    const node: PicklePersistent = { kind: 'persistent', id }
    this.#persistents.push(node)
    this.#make(node)
  }

  #put(index: number): void {
    this.#memo.set(index, this.#top())
  }

  #get(index: number): void {
    const node = this.#memo.get(index)
    if (node === undefined) throw this.#fail(`takes number ${index} from the memo, which is not there`)
    this.#push(node)
  }
}
