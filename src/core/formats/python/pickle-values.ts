/** What a pickle's nodes stand for as the values that Python would have: the same as PyYAML's documents give. */
import { FormatError } from '../../errors.js'
import { CallDecoder } from './calls.js'
import { DictBuilder } from './dict.js'
import { str } from './text.js'
import type { PyValue } from './value.js'
import { attributesOf, pairsOf } from '../pickle/attributes.js'
import type { PickleInstance, PickleNode, PicklePair, PickleSequence } from '../pickle/nodes.js'
import { globalName, textOf } from '../pickle/nodes.js'
import { spelledOut } from '../pickle/plain-tensor.js'

export interface PythonOptions {
  /** Answers what stands for a node; undefined leaves it to this module, null leaves the node out of what holds it. */
  readonly replace?: (node: PickleNode) => PyValue | undefined
  /** Values at most; what comes after them is left out. */
  readonly most?: number
}

/** Nested deeper than this, a value is named and not shown. */
const deepest = 60
/** Characters of a key that Python could not hash: such keys within such keys would double it again and again. */
const longestKey = 1000
/** Values of one key; what comes after them is left out. */
const mostInKey = 1000
/** Characters, bytes, or nodes looked through, that count as one value. */
const perValue = 256
/** An integer of more bits is named by its size alone: its decimal digits cost the square of their number. */
const largestInteger = 1n << 16_384n

/** Turns nodes into values, within one budget for all of them: shared nodes count each time that they are met. */
export class PythonValues {
  readonly #calls = new CallDecoder()
  readonly #replace: (node: PickleNode) => PyValue | undefined
  readonly #most: number
  #left: number

  constructor({ replace = () => undefined, most = 20_000 }: PythonOptions = {}) {
    this.#replace = replace
    this.#most = most
    this.#left = most
  }

  /** True when values were left out for their number. */
  get isCut(): boolean {
    return this.#left < 0
  }

  /** Values that were made. */
  get used(): number {
    return this.#most - this.#left
  }

  /** The value of a node; undefined for one that is left out, or that holds nothing but what is left out. */
  value(node: PickleNode, depth = 0): PyValue | undefined {
    const replaced = typeof node === 'object' && node !== null ? this.#replace(node) : undefined
    if (replaced === null) return undefined
    this.#left -= 1
    if (this.#left < 0) return undefined
    if (replaced !== undefined) return replaced
    if (typeof node === 'string') this.#spend(node.length)
    if (typeof node === 'bigint') return bounded(node)
    if (typeof node !== 'object' || node === null) return node
    if (depth > deepest) return { kind: 'opaque', name: '…', repr: `<nested deeper than ${deepest}>` }
    switch (node.kind) {
      case 'list':
      case 'tuple':
      case 'set':
      case 'frozenset':
        return this.#sequence(node, depth)
      case 'dict':
        return this.#dict(node.entries, depth)
      case 'bytes':
      case 'bytearray':
        this.#spend(node.bytes.length)
        return { kind: 'bytes', bytes: node.bytes }
      case 'string':
        this.#spend(node.bytes.length)
        return textOf(node) ?? { kind: 'bytes', bytes: node.bytes }
      case 'global': {
        const name = globalName(node) ?? ''
        return { kind: 'opaque', name, repr: name }
      }
      case 'persistent':
        return { kind: 'opaque', name: 'torch.storage', repr: '<torch.storage>' }
      case 'call':
      case 'object':
        return this.#instance(node, depth)
      case 'tensor':
        return this.#instance(spelledOut(node), depth)
    }
  }

  /** Long texts and what is looked through in vain count too: they can be shared, and met each time. */
  #spend(count: number): void {
    this.#left -= Math.floor(count / perValue)
  }

  #sequence({ kind, items }: PickleSequence, depth: number): PyValue | undefined {
    const values: PyValue[] = []
    for (const item of items) {
      if (this.#left < 0) break
      const value = this.value(item, depth + 1)
      if (value !== undefined) values.push(value)
    }
    return values.length === 0 && items.length > 0 ? undefined : { kind, items: values }
  }

  #dict(entries: readonly PicklePair[], depth: number): PyValue | undefined {
    const dict = new DictBuilder()
    let filled = entries.length === 0
    for (const [key, item] of entries) {
      if (this.#left < 0) break
      const value = this.value(item, depth + 1)
      if (value === undefined) continue
      filled = true
      dict.set(this.key(key, depth + 1), value)
    }
    return filled ? dict.build() : undefined
  }

  /** The value of a key. What Python could not hash must not be a key here either; it is kept under its text. */
  key(node: PickleNode, depth = 0): PyValue {
    if (typeof node === 'string') return node
    const found = this.value(node, depth)
    const value = found === undefined ? leftOut : found
    return isHashable(value) ? value : str(value).slice(0, longestKey)
  }

  #instance(node: PickleInstance, depth: number): PyValue | undefined {
    const name = canonicalName(globalName(node.callee) ?? '?')
    const args = typeof node.args === 'object' && node.args !== null && 'items' in node.args ? node.args.items : []
    if (typeof args[0] === 'string') this.#spend(args[0].length)
    if (name === '_codecs.encode') return encoded(args) ?? { kind: 'opaque', name, repr: `<${name}>` }
    const attributes = attributesOf(node, (count) => this.#spend(count))
    const isDict = dictLike.test(name)
    if (isDict || node.entries.length > 0) {
      const inner = isDict && name !== 'collections.defaultdict' ? pairsOf(args[0], (count) => this.#spend(count)) : []
      return this.#dict([...inner, ...node.entries, ...(isDict ? [] : attributes)], depth)
    }
    if (name === 'datetime.datetime' || name === 'datetime.date') {
      const date = dateOf(this.value(args[0] ?? null, depth + 1), args.length > 1)
      if (date !== undefined) return date
    }
    if (attributes.length > 0) return this.#dict(attributes, depth)
    if (node.items.length > 0) return this.#sequence({ kind: 'list', items: node.items }, depth)
    return this.#decode(node, name, args, depth)
  }

  #orDots(node: PickleNode, depth: number): PyValue {
    const value = this.value(node, depth + 1)
    return value === undefined ? leftOut : value
  }

  #decode(node: PickleInstance, name: string, args: readonly PickleNode[], depth: number): PyValue | undefined {
    const values = args.map((arg) => this.#orDots(arg, depth))
    const state = node.states[0] === undefined ? null : (this.value(node.states[0], depth + 1) ?? null)
    const call = { args: values, keywords: [], state, items: [], entries: [], fields: [] }
    try {
      return this.#calls.call({ tag: `python/object/apply:${name}`, ...call })
    } catch (error) {
      // One value that is not as numpy writes it; the file's tensors are none the worse.
      if (error instanceof FormatError) return { kind: 'opaque', name, repr: `<${name}: ${error.message}>` }
      throw error
    }
  }
}

const dictLike = /^(?:collections\.(?:OrderedDict|defaultdict|Counter)|builtins\.dict)$/
const leftOut: PyValue = { kind: 'opaque', name: '…', repr: '…' }

/** Names of what moved between versions: the newer is taken. */
function canonicalName(name: string): string {
  return name.replace(/^__builtin__\./, 'builtins.').replace(/^builtins\.(?:xrange)$/, 'builtins.range')
}

/** A key as Python prints it: tensors and values are named by it. With the number of values that it is made of. */
export function keyText(key: PickleNode): { readonly text: string; readonly values: number } {
  if (typeof key === 'string') return { text: key, values: 1 }
  if (typeof key === 'bigint') return { text: str(bounded(key)), values: 1 }
  const values = new PythonValues({ most: mostInKey })
  return { text: str(values.key(key)), values: values.used }
}

function isHashable(value: PyValue): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (value.kind === 'tuple' || value.kind === 'frozenset') return value.items.every(isHashable)
  return !['list', 'set', 'dict', 'ordereddict', 'ndarray'].includes(value.kind)
}

function bounded(value: bigint): PyValue {
  if (value < largestInteger && value > -largestInteger) return value
  return { kind: 'opaque', name: 'builtins.int', repr: `<int of ${value.toString(16).length * 4} bits>` }
}

/** Protocol 2 writes bytes as Latin-1 text. */
function encoded([text, encoding]: readonly PickleNode[]): PyValue | undefined {
  if (typeof text !== 'string' || typeof encoding !== 'string') return undefined
  return { kind: 'bytes', bytes: Uint8Array.from(Buffer.from(text, encoding === 'latin1' ? 'latin1' : 'utf8')) }
}

/** As datetime writes itself: big-endian year, month, day, and hour, minute, second, 24 bits of microseconds. */
function dateOf(value: PyValue | undefined, hasZone: boolean): PyValue | undefined {
  if (typeof value !== 'object' || value?.kind !== 'bytes' || hasZone) return undefined
  const [high = 0, low = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ...micro] = value.bytes
  const date = { year: high * 256 + low, month: month & 0x7f, day }
  if (value.bytes.length === 4) return { kind: 'date', ...date }
  if (value.bytes.length !== 10) return undefined
  const microsecond = micro.reduce((sum, byte) => sum * 256 + byte, 0)
  return { kind: 'datetime', ...date, hour, minute, second, microsecond, offset: null }
}
