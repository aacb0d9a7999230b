/**
 * From nodes to values, as PyYAML's composer and constructor do it (yaml/composer.py, yaml/constructor.py). Python
 * tags become data; what is not known stays opaque.
 */
import { isAlias, isMap, isScalar, isSeq, type Alias, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml'
import { FormatError } from '../../errors.js'
import { offsetOf, resolveAliases, type Fail, type Node } from './aliases.js'
import { CallDecoder, type LookAtCall, type PythonCall } from '../python/calls.js'
import { DictBuilder } from '../python/dict.js'
import { constructScalar, implicitTag, resolvePlain, type ImplicitTag } from './scalars.js'
import type { PyPair, PyValue } from '../python/value.js'

/** Values that aliases may repeat; a bomb needs more, no real meta comes near. */
const maxAliased = 100_000

const maxMergeDepth = 100

const standard = 'tag:yaml.org,2002:'

/** The value of a whole document. Throws what `fail` makes, also of what `look` throws. */
export function constructDocument(node: Node, fail: Fail, look?: LookAtCall): PyValue {
  return new Constructor(resolveAliases(node, fail), fail, new CallDecoder(look)).value(node)
}

/** What gives the value of any node of a document; an alias stands for what it does in the whole of it. */
export function constructorOf(document: Node, fail: Fail): (node: Node) => PyValue {
  const constructor = new Constructor(resolveAliases(document, fail), fail, new CallDecoder(undefined))
  return (node) => constructor.value(node)
}

/** What an anchor's node was built into; the value is absent while it is under way: an alias inside is a cycle. */
interface Anchored {
  value?: PyValue
  size: number
}

class Constructor {
  readonly #fail: Fail
  readonly #targets: ReadonlyMap<Alias, Node>
  readonly #anchored = new Map<Node, Anchored>()
  readonly #calls: CallDecoder
  /** Values built so far, those that aliases repeat counted each time. */
  #built = 0
  #aliased = 0

  constructor(targets: ReadonlyMap<Alias, Node>, fail: Fail, calls: CallDecoder) {
    this.#calls = calls
    this.#targets = targets
    this.#fail = fail
  }

  value(node: Node): PyValue {
    if (node === null) return null
    if (isAlias(node)) return this.value(this.#targets.get(node) ?? null)
    if (node.anchor === undefined) return this.#build(node)
    const known = this.#anchored.get(node)
    if (known !== undefined) return this.#again(known, node)
    const anchored: Anchored = { size: 0 }
    this.#anchored.set(node, anchored)
    const before = this.#built
    anchored.value = this.#build(node)
    anchored.size = this.#built - before
    return anchored.value
  }

  #again(known: Anchored, node: Node): PyValue {
    if (known.value === undefined) return { kind: 'opaque', name: 'itself', repr: '...' }
    this.#built += known.size
    this.#count(known.size, node)
    return known.value
  }

  #count(repeated: number, node: Node): void {
    this.#aliased += repeated
    if (this.#aliased <= maxAliased) return
    throw this.#fail(`aliases repeat more than ${maxAliased} values`, offsetOf(node))
  }

  #build(node: Exclude<Node, null | Alias>): PyValue {
    this.#built++
    try {
      if (isScalar(node)) return this.#scalar(node)
      return isMap(node) ? this.#mapping(node) : this.#sequence(node)
    } catch (error) {
      if (error instanceof FormatError && error.offset === undefined) throw this.#fail(error.message, offsetOf(node))
      throw error
    }
  }

  #scalar(node: Scalar): PyValue {
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '')
    const tag = node.tag
    if (tag === undefined) return node.type === 'PLAIN' || node.type === undefined ? resolvePlain(text) : text
    if (tag === '!') return resolvePlain(text)
    const implicit = scalarTags.get(tag)
    if (implicit !== undefined) return constructScalar(implicit, text)
    return this.#calls.scalar(shortName(tag), text)
  }

  #sequence(node: YAMLSeq): PyValue {
    const tag = shortName(node.tag ?? 'seq')
    if (tag === 'omap' || tag === 'pairs') return this.#pairList(node)
    const items = node.items.map((item) => this.value(item as Node))
    switch (tag) {
      case 'seq':
      case '!':
      case 'python/list':
        return { kind: 'list', items }
      case 'python/tuple':
        return { kind: 'tuple', items }
    }
    this.#refuse(tag, 'a list')
    return this.#call({ ...emptyCall(tag), args: items })
  }

  #mapping(node: YAMLMap): PyValue {
    const tag = shortName(node.tag ?? 'map')
    const dict = new DictBuilder()
    for (const [key, value] of this.#flatten(node)) dict.set(this.#key(key), this.value(value))
    switch (tag) {
      case 'map':
      case '!':
      case 'python/dict':
        return dict.build()
      case 'set':
        return { kind: 'set', items: dict.keys() }
    }
    this.#refuse(tag, 'key: value pairs')
    return this.#call(mappingCall(tag, dict.build().pairs))
  }

  #call(call: PythonCall): PyValue {
    const value = this.#calls.call(call)
    if (typeof value === 'object' && value !== null && 'values' in value) this.#built += value.values?.length ?? 0
    return value
  }

  /** A key as it is written; a plain `=` is text there. */
  #key(node: Node): PyValue {
    return isScalar(node) && node.tag === undefined && isPlain(node) && node.source === '=' ? '=' : this.value(node)
  }

  /** The pairs of a mapping, with those of `<<` before them: they give way to the mapping's own. */
  #flatten(node: YAMLMap, depth = 0): [Node, Node][] {
    if (depth > maxMergeDepth) throw this.#fail(`merges nested deeper than ${maxMergeDepth} levels`, offsetOf(node))
    const own: [Node, Node][] = []
    const merged: [Node, Node][] = []
    for (const { key, value } of node.items as { key: Node; value: Node }[]) {
      if (isMerge(key)) for (const pair of this.#merged(value, depth + 1)) merged.push(pair)
      else own.push([key, value])
    }
    this.#count(merged.length, node)
    return merged.length === 0 ? own : [...merged, ...own]
  }

  /** What a `<<` brings: a mapping's pairs, or those of several, of which the first wins. */
  #merged(source: Node, depth: number): [Node, Node][] {
    const node = isAlias(source) ? (this.#targets.get(source) ?? null) : source
    if (isMap(node)) return this.#flatten(node, depth)
    if (!isSeq(node)) throw this.#fail('expected a mapping or a list of mappings for merging', offsetOf(source))
    const parts = (node.items as Node[]).map((item) => {
      const part = isAlias(item) ? (this.#targets.get(item) ?? null) : item
      if (!isMap(part)) throw this.#fail('expected a mapping for merging', offsetOf(item))
      return this.#flatten(part, depth)
    })
    return parts.reverse().flat()
  }

  /** `!!omap` and `!!pairs`: a list of mappings of one pair each becomes a list of tuples. */
  #pairList(node: YAMLSeq): PyValue {
    const items = node.items.map((item): PyValue => {
      if (!isMap(item)) throw this.#fail('expected a mapping of one pair', offsetOf(item as Node))
      const pairs = item.items as { key: Node; value: Node }[]
      const [pair] = pairs
      if (pair === undefined || pairs.length !== 1) {
        throw this.#fail(`expected a mapping of one pair, but found ${pairs.length}`, offsetOf(item))
      }
      return { kind: 'tuple', items: [this.value(pair.key), this.value(pair.value)] }
    })
    return { kind: 'list', items }
  }

  /** The standard's own tags fit one kind of node only. */
  #refuse(tag: string, found: string): void {
    if (standardTags.has(tag)) throw new FormatError(`found ${found} where !!${tag} expects something else`)
  }
}

const scalarTags: ReadonlyMap<string, ImplicitTag> = new Map(
  (
    [
      ['null', 'null'],
      ['bool', 'bool'],
      ['int', 'int'],
      ['float', 'float'],
      ['str', 'str'],
      ['timestamp', 'timestamp'],
      ['python/none', 'null'],
      ['python/bool', 'bool'],
      ['python/str', 'str'],
      ['python/unicode', 'str'],
      ['python/int', 'int'],
      ['python/long', 'int'],
      ['python/float', 'float'],
    ] as const
  ).map(([name, tag]) => [standard + name, tag]),
)

const standardTags = new Set(
  `null bool int float str timestamp binary seq map set omap pairs python/none python/bool python/str python/unicode
   python/int python/long python/float python/bytes python/complex python/list python/tuple python/dict`.split(/\s+/),
)

function shortName(tag: string): string {
  return tag.startsWith(standard) ? tag.slice(standard.length) : tag
}

function isPlain(node: Scalar): boolean {
  return node.type === 'PLAIN'
}

function isMerge(node: Node): boolean {
  return isScalar(node) && isPlain(node) && node.tag === undefined && implicitTag(node.source ?? '') === 'merge'
}

function emptyCall(tag: string): PythonCall {
  return { tag, args: [], keywords: [], state: null, items: [], entries: [], fields: [] }
}

/** PyYAML's long form of a call: `args`, `kwds`, `state`, `listitems`, `dictitems`; other tags keep their fields. */
function mappingCall(tag: string, pairs: readonly PyPair[]): PythonCall {
  const part = new Map(pairs)
  return {
    tag,
    args: itemsOf(part.get('args')),
    keywords: pairsOf(part.get('kwds')),
    state: part.get('state') ?? null,
    items: itemsOf(part.get('listitems')),
    entries: pairsOf(part.get('dictitems')),
    fields: pairs,
  }
}

function itemsOf(value: PyValue | undefined): readonly PyValue[] {
  return typeof value === 'object' && value !== null && 'items' in value ? value.items : []
}

function pairsOf(value: PyValue | undefined): readonly PyPair[] {
  return typeof value === 'object' && value !== null && 'pairs' in value ? value.pairs : []
}
