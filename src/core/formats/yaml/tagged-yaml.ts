/**
 * YAML whose tags mean something to a program, read without that meaning: HyperPyYAML's `!new:torch.optim.Adam` and
 * `!ref <lr>` (speechbrain/utils/hpopt.py and the package hyperpyyaml) stay text. Objects that PyYAML has written
 * (yaml/representer.py, represent_object) are the numbers and texts that they were made of. Nothing is called.
 */
import { Alias, isMap, isScalar, isSeq, type Document, type Node, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml'
import { isMeta, type Meta, type MetaValue } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import type { PyValue } from '../python/value.js'
import { plainValue, tagKey } from './plain-value.js'
import type { Node as ComposedNode } from '../pyyaml/aliases.js'
import { constructorOf } from '../pyyaml/construct.js'
import { composeDocument, type ComposedDocument } from '../pyyaml/document.js'

/** Bytes. The largest of SpeechBrain's recipes has 40 kB. */
const largest = 1 << 20
/** Values of one file, those of aliases counted each time. */
const mostValues = 20_000
const deepest = 64

/** Throws FormatError. */
export function parseTaggedYaml(bytes: Uint8Array): MetaValue {
  if (bytes.length > largest) throw new FormatError(`has ${bytes.length} bytes; at most ${largest} are read`)
  const composed = composeDocument(new TextDecoder().decode(bytes))
  const { document } = composed
  return document === undefined ? null : new Values(document, composed.mistake).of(document.contents, 0)
}

class Values {
  #left = mostValues
  #construct: ((node: ComposedNode) => PyValue) | null = null

  constructor(
    private readonly document: Document.Parsed,
    private readonly mistake: ComposedDocument['mistake'],
  ) {}

  of(node: unknown, depth: number): MetaValue {
    this.#left -= 1
    if (this.#left < 0) throw new FormatError(`has more than ${mostValues} values; at most that many are read`)
    if (depth > deepest) throw new FormatError(`is nested deeper than ${deepest}`)
    if (node instanceof Alias) return this.of(node.resolve(this.document) ?? null, depth + 1)
    if (isScalar(node)) return scalarOf(node)
    const tag = tagOf(node as Node | null)
    if (isSeq(node)) return this.ofSequence(node, tag, depth)
    return isMap(node) ? this.ofMap(node, tag, depth) : null
  }

  private ofSequence(node: YAMLSeq, tag: string | null, depth: number): MetaValue {
    const call = node.tag?.startsWith(pythonCall) === true ? node.tag.slice(pythonCall.length) : null
    const number = call?.startsWith('numpy.') === true ? this.numberOf(node) : null
    if (number !== null) return number
    const items = node.items.map((item) => this.of(item, depth + 1))
    if (call !== null) return madeOf(call, items)
    const texts = items.filter((item) => !isMeta(item) && !Array.isArray(item)).map(String)
    return tag === null || texts.length < items.length ? items : `${tag} [${texts.join(', ')}]`
  }

  /** Of a numpy scalar; null for what is none. */
  private numberOf(node: YAMLSeq): number | bigint | null {
    this.#construct ??= constructorOf(this.document.contents, this.mistake)
    const value = this.#construct(node)
    if (value === null || typeof value !== 'object' || value.kind !== 'numpy') return null
    return typeof value.value === 'number' || typeof value.value === 'bigint' ? value.value : null
  }

  private ofMap(node: YAMLMap, tag: string | null, depth: number): MetaValue {
    const merged: Meta[] = []
    const own = new Map<string, MetaValue>()
    for (const { key, value } of node.items) {
      const inner = this.of(value, depth + 1)
      const sources = isMergeKey(key) ? mappingsIn(inner) : null
      if (sources === null) own.set(textOf(key), inner)
      else merged.push(...sources)
    }
    const map = new Map<string, MetaValue>(tag === null ? [] : [[tagKey, tag]])
    // Of two sources the earlier one decides, and the mapping itself goes before both. A source's tag stays with it.
    for (const source of merged.reverse()) {
      for (const [key, value] of source) if (key !== tagKey) map.set(key, value)
    }
    for (const [key, value] of own) map.set(key, value)
    return map
  }
}

const pythonCall = 'tag:yaml.org,2002:python/object/apply:'
const pythonName = 'tag:yaml.org,2002:python/name:'

/** A path of its parts; a device, or a member of an enumeration, of the one text or number that it is made of. */
function madeOf(call: string, items: readonly MetaValue[]): MetaValue {
  if (/^pathlib\b.*Path$/.test(call)) return items.map(String).join('/').replace(/^\/\//, '/')
  const [only = null] = items
  return items.length === 1 && !isMeta(only) && !Array.isArray(only) ? only : items
}

/** The plain key `<<` takes in what another mapping, or each of a list of them, has (yaml.org/type/merge.html). */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.value === '<<'
}

/** Null for what cannot be merged. */
function mappingsIn(value: MetaValue): readonly Meta[] | null {
  const all: readonly MetaValue[] = Array.isArray(value) ? (value as readonly MetaValue[]) : [value]
  const mappings = all.filter(isMeta)
  return mappings.length === all.length ? mappings : null
}

function textOf(key: unknown): string {
  return isScalar(key) ? scalarText(key) : '?'
}

/** A tag of the program's own; null for none, and for those of YAML itself. */
function tagOf(node: { readonly tag?: string | undefined } | null): string | null {
  const tag = node?.tag
  if (tag === undefined || tag.startsWith('tag:yaml.org,2002:') || tag === '!') return null
  return tag
}

function scalarOf(node: Scalar): MetaValue {
  const text = scalarText(node)
  const tag = tagOf(node)
  if (text === '' && node.tag?.startsWith(pythonName) === true) return node.tag.slice(pythonName.length)
  if (tag !== null) return text === '' ? tag : `${tag} ${text}`
  return node.type === 'PLAIN' || node.type === undefined ? plainValue(text) : text
}

/** Without a schema every scalar is a text. */
function scalarText({ value }: Scalar): string {
  return typeof value === 'string' ? value : ''
}
