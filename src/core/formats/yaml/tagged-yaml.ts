/**
 * YAML whose tags mean something to a program, read without that meaning: HyperPyYAML's `!new:torch.optim.Adam` and
 * `!ref <lr>` (speechbrain/utils/hpopt.py and the package hyperpyyaml) stay text. Nothing is called.
 */
import { Alias, isMap, isScalar, isSeq, type Document, type Node, type Scalar, type YAMLMap } from 'yaml'
import { isMeta, type Meta, type MetaValue } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import { plainValue, tagKey } from './plain-value.js'
import { composeDocument } from '../pyyaml/document.js'

/** Bytes. The largest of SpeechBrain's recipes has 40 kB. */
const largest = 1 << 20
/** Values of one file, those of aliases counted each time. */
const mostValues = 20_000
const deepest = 64

/** Throws FormatError. */
export function parseTaggedYaml(bytes: Uint8Array): MetaValue {
  if (bytes.length > largest) throw new FormatError(`has ${bytes.length} bytes; at most ${largest} are read`)
  const { document } = composeDocument(new TextDecoder().decode(bytes))
  return document === undefined ? null : new Values(document).of(document.contents, 0)
}

class Values {
  #left = mostValues

  constructor(private readonly document: Document.Parsed) {}

  of(node: unknown, depth: number): MetaValue {
    this.#left -= 1
    if (this.#left < 0) throw new FormatError(`has more than ${mostValues} values; at most that many are read`)
    if (depth > deepest) throw new FormatError(`is nested deeper than ${deepest}`)
    if (node instanceof Alias) return this.of(node.resolve(this.document) ?? null, depth + 1)
    if (isScalar(node)) return scalarOf(node)
    const tag = tagOf(node as Node | null)
    if (isSeq(node)) return node.items.map((item) => this.of(item, depth + 1))
    return isMap(node) ? this.ofMap(node, tag, depth) : null
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
  if (tag !== null) return text === '' ? tag : `${tag} ${text}`
  return node.type === 'PLAIN' || node.type === undefined ? plainValue(text) : text
}

/** Without a schema every scalar is a text. */
function scalarText({ value }: Scalar): string {
  return typeof value === 'string' ? value : ''
}
