/**
 * YAML whose tags mean something to a program, read without that meaning: HyperPyYAML's `!new:torch.optim.Adam` and
 * `!ref <lr>` (speechbrain/utils/hpopt.py and the package hyperpyyaml) stay text. Nothing is called.
 */
import { Alias, isMap, isScalar, isSeq, type Document, type Node, type Scalar } from 'yaml'
import type { MetaValue } from '../checkpoint.js'
import { FormatError } from '../errors.js'
import { plainValue, tagKey } from './plain-value.js'
import { composeDocument } from './pyyaml/document.js'

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
    if (!isMap(node)) return null
    const map = new Map<string, MetaValue>()
    if (tag !== null) map.set(tagKey, tag)
    for (const { key, value } of node.items) map.set(textOf(key), this.of(value, depth + 1))
    return map
  }
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
