/**
 * Writes nodes as a pickle: what `readPickle` gives back is the same, and so is what Python makes of it. In opcodes of
 * protocol 2 where they do, for torch's restricted reader knows no others (PyTorch: torch/_weights_only_unpickler.py;
 * CPython: Lib/pickle.py).
 */
import { CkptError } from '../../errors.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import type { PickleDict, PickleGlobal, PickleInstance, PickleNode, PickleObject, PickleSequence } from './nodes.js'
import { op } from './opcodes.js'
import { spelledOut } from './plain-tensor.js'

export interface WriteHooks {
  /** Answers what is written in a node's place; undefined for the node itself. */
  readonly replace?: (node: PickleObject) => PickleNode | undefined
}

/** Python's own pickler gives up at about a thousand levels. */
const deepestWritten = 900
/** Longer texts seldom come twice. */
const longestRemembered = 64

/** Throws CkptError `refused` for what is nested too deeply or holds itself in a way that Python could not write. */
export function writePickle(root: PickleNode, hooks: WriteHooks = {}): Uint8Array {
  return new PickleWriter(hooks).write(root)
}

class PickleWriter {
  readonly #writer = new ByteWriter()
  readonly #encoder = new TextEncoder()
  readonly #replace: NonNullable<WriteHooks['replace']>
  readonly #memo = new Map<PickleObject | string, number>()
  /** What is being written and has no place in the memo yet. */
  readonly #open = new Set<PickleObject>()
  #next = 0
  #depth = 0
  /** Names with dots in them are looked up part by part from protocol 4 on only. */
  #protocol = 2

  constructor({ replace = () => undefined }: WriteHooks) {
    this.#replace = replace
  }

  write(root: PickleNode): Uint8Array {
    this.#writer.u8(op.PROTO).u8(2)
    this.#node(root)
    const bytes = this.#writer.u8(op.STOP).finish()
    bytes[1] = this.#protocol
    return bytes
  }

  #node(node: PickleNode): void {
    if (node === null) this.#writer.u8(op.NONE)
    else if (typeof node === 'boolean') this.#writer.u8(node ? op.NEWTRUE : op.NEWFALSE)
    else if (typeof node === 'bigint') this.#integer(node)
    else if (typeof node === 'number') this.#float(node)
    else if (typeof node === 'string') this.#text(node)
    else this.#object(node)
  }

  #object(node: PickleObject): void {
    const known = this.#memo.get(node)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    const replaced = this.#replace(node)
    if (this.#open.has(node)) throw new CkptError('refused', 'an object is made of itself, which cannot be written')
    this.#depth += 1
    if (this.#depth > deepestWritten) {
      throw new CkptError('refused', `more than ${deepestWritten} levels, one within the other, cannot be written`)
    }
    if (replaced === undefined || replaced === node) this.#plain(node)
    else {
      this.#open.add(node)
      this.#node(replaced)
      this.#open.delete(node)
      this.#put(node)
    }
    this.#depth -= 1
  }

  #plain(node: PickleObject): void {
    switch (node.kind) {
      case 'list':
        this.#list(node)
        break
      case 'tuple':
        this.#tuple(node)
        break
      case 'set':
      case 'frozenset':
        this.#made(node, { module: 'builtins', name: node.kind }, [{ kind: 'list', items: node.items }])
        break
      case 'dict':
        this.#dict(node)
        break
      case 'bytes':
        this.#made(node, { module: '_codecs', name: 'encode' }, [latin1(node.bytes), 'latin1'])
        break
      case 'bytearray':
        this.#made(node, { module: 'builtins', name: 'bytearray' }, [{ kind: 'bytes', bytes: node.bytes }])
        break
      case 'string':
        this.#writer.u8(op.BINSTRING).u32(node.bytes.length).put(node.bytes)
        this.#put(node)
        break
      case 'global':
        this.#global(node)
        break
      case 'persistent':
        this.#node(node.id)
        this.#writer.u8(op.BINPERSID)
        this.#put(node)
        break
      case 'tensor':
        this.#instance(spelledOut(node))
        this.#put(node)
        break
      case 'call':
      case 'object':
        this.#instance(node)
        break
    }
  }

  #list(node: PickleSequence): void {
    this.#writer.u8(op.EMPTY_LIST)
    this.#put(node)
    this.#append(node.items)
  }

  #append(items: readonly PickleNode[]): void {
    if (items.length === 0) return
    this.#writer.u8(op.MARK)
    for (const item of items) this.#node(item)
    this.#writer.u8(op.APPENDS)
  }

  #dict(node: PickleDict): void {
    this.#writer.u8(op.EMPTY_DICT)
    this.#put(node)
    this.#setItems(node.entries)
  }

  #setItems(entries: PickleDict['entries']): void {
    if (entries.length === 0) return
    this.#writer.u8(op.MARK)
    for (const [key, value] of entries) {
      this.#node(key)
      this.#node(value)
    }
    this.#writer.u8(op.SETITEMS)
  }

  #tuple(node: PickleSequence): void {
    this.#open.add(node)
    this.#tupleOf(node.items)
    this.#open.delete(node)
    if (node.items.length > 0) this.#put(node)
  }

  #tupleOf(items: readonly PickleNode[]): void {
    const code = [op.EMPTY_TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3][items.length]
    if (code === undefined) this.#writer.u8(op.MARK)
    for (const item of items) this.#node(item)
    this.#writer.u8(code ?? op.TUPLE)
  }

  /** What Python makes by calling something of its own. */
  #made(node: PickleObject, callee: Omit<PickleGlobal, 'kind'>, args: readonly PickleNode[]): void {
    this.#open.add(node)
    this.#globalNamed(callee)
    this.#tupleOf(args)
    this.#open.delete(node)
    this.#writer.u8(op.REDUCE)
    this.#put(node)
  }

  #instance(node: PickleInstance): void {
    this.#open.add(node)
    this.#node(node.callee)
    this.#node(node.args)
    if (node.keywords !== null) this.#node(node.keywords)
    this.#open.delete(node)
    this.#writer.u8(node.keywords === null ? (node.kind === 'call' ? op.REDUCE : op.NEWOBJ) : op.NEWOBJ_EX)
    this.#put(node)
    this.#append(node.items)
    this.#setItems(node.entries)
    for (const state of node.states) {
      this.#node(state)
      this.#writer.u8(op.BUILD)
    }
  }

  #global(node: PickleGlobal): void {
    this.#globalNamed(node)
  }

  #globalNamed({ module, name }: Omit<PickleGlobal, 'kind'>): void {
    const key = `global ${module} ${name}`
    const known = this.#memo.get(key)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    // A line ends a name: more of them would be opcodes of their own.
    if (/[\r\n]/.test(module + name)) throw new CkptError('refused', 'a class whose name has lines cannot be written')
    if (name.includes('.')) this.#protocol = 4
    this.#writer.u8(op.GLOBAL).put(this.#encoder.encode(`${module}\n${name}\n`))
    this.#put(key)
  }

  #text(text: string): void {
    const key = `text ${text}`
    const isShort = text.length <= longestRemembered
    const known = isShort ? this.#memo.get(key) : undefined
    if (known !== undefined) {
      this.#get(known)
      return
    }
    const bytes = encodeText(text)
    this.#writer.u8(op.BINUNICODE).u32(bytes.length).put(bytes)
    if (isShort) this.#put(key)
  }

  #integer(value: bigint): void {
    if (value >= 0n && value < 0x100n) this.#writer.u8(op.BININT1).u8(Number(value))
    else if (value >= 0n && value < 0x10000n) this.#writer.u8(op.BININT2).u16(Number(value))
    else if (value >= -0x80000000n && value < 0x80000000n)
      this.#writer.u8(op.BININT).u32(Number(BigInt.asUintN(32, value)))
    else this.#long(value)
  }

  /** Two's complement, in as many bytes as it takes. */
  #long(value: bigint): void {
    let size = 1
    while (BigInt.asIntN(8 * size, value) !== value) size += 1
    if (size < 256) this.#writer.u8(op.LONG1).u8(size)
    else this.#writer.u8(op.LONG4).u32(size)
    for (let at = 0; at < size; at += 1) this.#writer.u8(Number((value >> BigInt(8 * at)) & 0xffn))
  }

  #float(value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value, false)
    this.#writer.u8(op.BINFLOAT).put(bytes)
  }

  #put(node: PickleObject | string): void {
    const memoIndex = this.#next
    this.#next += 1
    this.#memo.set(node, memoIndex)
    if (memoIndex < 256) this.#writer.u8(op.BINPUT).u8(memoIndex)
    else this.#writer.u8(op.LONG_BINPUT).u32(memoIndex)
  }

  #get(memoIndex: number): void {
    if (memoIndex < 256) this.#writer.u8(op.BINGET).u8(memoIndex)
    else this.#writer.u8(op.LONG_BINGET).u32(memoIndex)
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** As UTF-8 with `surrogatepass`, which Python's pickler has: half a character has three bytes. */
function encodeText(text: string): Uint8Array {
  const whole = new TextEncoder().encode(text)
  if (!/\p{Cs}/u.test(text)) return whole
  const writer = new ByteWriter()
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (code < 0xd800 || code > 0xdfff) writer.put(new TextEncoder().encode(character))
    else
      writer
        .u8(0xed)
        .u8(0x80 | ((code >> 6) & 0x3f))
        .u8(0x80 | (code & 0x3f))
  }
  return writer.finish()
}
