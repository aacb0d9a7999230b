/** Writing as PyYAML's `yaml.dump` writes (yaml/representer.py, yaml/emitter.py), so that it reads back the same. */
import { compareCodePoints } from '../text/code-points.js'
import { CkptError } from '../../errors.js'
import { dateText, datetimeText, floatRepr } from '../python/text.js'
import { styleOf } from './scalar-style.js'
import { TextWriter } from './text-writer.js'
import type { PyDict, PyPair, PySequence, PyValue } from '../python/value.js'

/** Python's own limit of recursion lets PyYAML read little more. */
const maxDepth = 100
/** A longer key, its `!!str` counted, is written behind a `?`. */
const longestSimpleKey = 127
/** CPython refuses to read integers with more digits (sys.int_info.default_max_str_digits). */
const maxDigits = 4300
const indentStep = 2
/** Characters of Base64 in a line, as Python's `base64.encodebytes` breaks it. */
const base64Line = 76

/**
 * The text that `yaml.dump(value)` gives: block style, keys sorted where Python can sort them, all but ASCII escaped.
 * Equal objects are written out each time, without aliases. Throws CkptError `usage` for values that a safe loader
 * would not read back (tuples, complex numbers, numpy and torch values, opaque objects), and for ones nested too deep.
 */
export function dumpPyYaml(value: PyDict): string {
  if (value.pairs.length === 0) return '{}\n'
  const dumper = new Dumper()
  dumper.pairs(value.pairs, 0, null)
  return `${dumper.writer.text}\n`
}

/** Where a block begins: at `null` on a line of its own, else right behind an indicator (`- `, `? `) on this one. */
type Behind = 'indicator' | null

class Dumper {
  readonly writer = new TextWriter()
  #depth = 0

  pairs(pairs: readonly PyPair[], indent: number, behind: Behind): void {
    sortedAsPython(pairs).forEach(([key, value], index) => {
      if (index > 0 || behind === null) this.writer.startLine(indent)
      if (isSimpleKey(key)) {
        this.#scalar(key, indent + indentStep, true)
        this.writer.append(':')
        this.#valueOf(value, indent)
        return
      }
      this.writer.append('? ')
      this.#behindIndicator(key, indent)
      this.writer.startLine(indent)
      this.writer.append(': ')
      this.#behindIndicator(value, indent)
    })
  }

  /** Behind `key:`. A list in a mapping is not indented. */
  #valueOf(value: PyValue, indent: number): void {
    this.#nested(() => {
      if (isBlockMap(value)) {
        if (value.kind === 'set') this.writer.append(' !!set')
        this.pairs(pairsOf(value), indent + indentStep, null)
      } else if (isBlockList(value)) this.#items(value, indent, null)
      else {
        this.writer.append(' ')
        this.#scalar(value, indent + indentStep, false)
      }
    })
  }

  /** Behind `- `, `? ` or `: `, where a block begins on the same line. */
  #behindIndicator(value: PyValue, indent: number): void {
    const inner = indent + indentStep
    this.#nested(() => {
      if (isBlockMap(value)) {
        if (value.kind === 'set') this.writer.append('!!set')
        this.pairs(pairsOf(value), inner, value.kind === 'set' ? null : 'indicator')
      } else if (isBlockList(value)) this.#items(value, inner, 'indicator')
      else this.#scalar(value, inner, false)
    })
  }

  #items({ items }: PySequence, indent: number, behind: Behind): void {
    items.forEach((item, index) => {
      if (index > 0 || behind === null) this.writer.startLine(indent)
      this.writer.append('- ')
      this.#behindIndicator(item, indent)
    })
  }

  #nested(write: () => void): void {
    if (this.#depth >= maxDepth) {
      throw new CkptError('usage', `a meta nested deeper than ${maxDepth} levels cannot be saved`)
    }
    this.#depth += 1
    write()
    this.#depth -= 1
  }

  #scalar(value: PyValue, indent: number, isKey: boolean): void {
    if (typeof value === 'string') {
      this.writer.scalar(value, styleOf(value, isKey), indent, isKey)
    } else if (typeof value === 'object' && value?.kind === 'bytes') this.#bytes(value.bytes, indent)
    else if (typeof value === 'object' && value?.kind === 'set') this.writer.append('!!set {}')
    else this.writer.scalar(plainText(value), 'plain', indent, isKey)
  }

  #bytes(bytes: Uint8Array, indent: number): void {
    const digits = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
    if (digits === '') {
      this.writer.append('!!binary ""')
      return
    }
    this.writer.append('!!binary |')
    for (let at = 0; at < digits.length; at += base64Line) {
      this.writer.startLine(indent)
      this.writer.append(digits.slice(at, at + base64Line))
    }
  }
}

/** What PyYAML writes on one line and without quotes. */
function plainText(value: Exclude<PyValue, string>): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return floatText(value)
  if (typeof value === 'bigint') return intText(value)
  if (typeof value === 'boolean') return String(value)
  switch (value.kind) {
    case 'list':
      return '[]'
    case 'dict':
      return '{}'
    case 'date':
      return dateText(value)
    case 'datetime':
      return datetimeText(value).replace('T', ' ')
    default: {
      const what = value.kind === 'opaque' ? value.name : value.kind
      throw new CkptError('usage', `a value of the kind ${what} cannot be saved in a meta that any loader reads`)
    }
  }
}

function intText(value: bigint): string {
  const text = String(value)
  if (text.length <= maxDigits) return text
  throw new CkptError('usage', `an integer of ${text.length} digits cannot be saved: Python reads ${maxDigits}`)
}

/** Without a dot YAML 1.1 would take `1e+16` for a text. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  const text = floatRepr(value)
  return text.includes('.') ? text : text.replace('e', '.0e')
}

function isBlockMap(value: PyValue): value is PyDict | PySequence {
  if (typeof value !== 'object' || value === null) return false
  if (value.kind === 'dict') return value.pairs.length > 0
  return value.kind === 'set' && value.items.length > 0
}

function isBlockList(value: PyValue): value is PySequence {
  return typeof value === 'object' && value?.kind === 'list' && value.items.length > 0
}

/** A set is written as the mapping of its items to null. */
function pairsOf(value: PyDict | PySequence): readonly PyPair[] {
  return 'pairs' in value ? value.pairs : value.items.map((item) => [item, null] as const)
}

function isSimpleKey(key: PyValue): boolean {
  if (typeof key === 'object' && key !== null) return key.kind === 'date' || key.kind === 'datetime'
  if (typeof key === 'bigint') return String(key).length + '!!int'.length <= longestSimpleKey
  if (typeof key !== 'string') return true
  return key !== '' && !/[\n\x85\u2028\u2029]/.test(key) && Array.from(key).length + '!!str'.length <= longestSimpleKey
}

/** Strings by code points, numbers by value; what Python cannot compare stays in its order. */
function sortedAsPython(pairs: readonly PyPair[]): readonly PyPair[] {
  if (pairs.every(([key]) => typeof key === 'string')) {
    return pairs.toSorted(([a], [b]) => compareCodePoints(textOf(a), textOf(b)))
  }
  const isNumeric = (key: PyValue) => ['number', 'bigint', 'boolean'].includes(typeof key) && !Number.isNaN(key)
  if (!pairs.every(([key]) => isNumeric(key))) return pairs
  return pairs.toSorted(([a], [b]) => compareNumbers(numberOf(a), numberOf(b)))
}

function textOf(key: PyValue): string {
  return typeof key === 'string' ? key : ''
}

function numberOf(key: PyValue): number | bigint {
  return typeof key === 'bigint' || typeof key === 'number' ? key : Number(key)
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : Number(a > b)
}
