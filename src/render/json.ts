/**
 * `--json`: two-space indented JSON of plain objects, arrays, Maps (as objects) and meta values. What JSON cannot hold
 * (NaN, infinities) are the strings "NaN", "Infinity", "-Infinity"; large integers are written with all their digits
 * (docs/json.md).
 */
import { OpaqueValue } from '../core/checkpoint.js'
import { suspicious, unsafe } from './printable.js'

export function toJson(value: unknown): string {
  const text = write(value, 0)
  return suspicious.test(text) ? text.replace(unsafeInStrings, escapeUnits) : text
}

/** The same on one line: in strings a line break is an escape. */
export function toJsonLine(value: unknown): string {
  return toJson(value).replace(/\n */g, ' ')
}

/** What JSON leaves as it is, and a terminal or a reader's eye does not: C1 controls, changes of direction. Only strings hold such. */
const unsafeInStrings = new RegExp(`(?!\\n)${unsafe.source}`, unsafe.flags)

/** The same on one line, to stand within a page: no `<` is in it, so that nothing in it ends a script or begins markup. */
export function toPageJson(value: unknown): string {
  return write(value, unbroken).replaceAll('<', '\\u003c')
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')
}

/** In place of a depth: no line is broken. */
const unbroken = -1

/** `depth` is that of the line that it begins on. */
function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'number':
      return writeNumber(value)
    case 'bigint':
      return value.toString()
    case 'string':
      return JSON.stringify(value)
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, depth)
    default:
      return 'null'
  }
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return Object.is(value, -0) ? '-0' : String(value)
}

function writeObject(value: object, depth: number): string {
  if (value instanceof OpaqueValue) return JSON.stringify(value.text)
  const inner = depth === unbroken ? unbroken : depth + 1
  const parts: string[] = []
  if (Array.isArray(value)) {
    for (const item of value) parts.push(write(item, inner))
    return bracket('[', parts, ']', depth)
  }
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value)
  for (const [key, item] of entries) if (item !== undefined) parts.push(quotedKey(String(key)) + write(item, inner))
  return bracket('{', parts, '}', depth)
}

function bracket(open: string, parts: readonly string[], close: string, depth: number): string {
  if (parts.length === 0) return open + close
  if (depth === unbroken) return open + parts.join(',') + close
  const line = lineAt(depth + 1)
  return open + line + parts.join(`,${line}`) + lineAt(depth) + close
}

const lines: string[] = []

function lineAt(depth: number): string {
  return (lines[depth] ??= `\n${'  '.repeat(depth)}`)
}

/** Keys of documents are few, and each is written thousands of times. */
const quotedKeys = new Map<string, string>()
const mostKeys = 4096

function quotedKey(key: string): string {
  const known = quotedKeys.get(key)
  if (known !== undefined) return known
  const quoted = `${JSON.stringify(key)}: `
  if (quotedKeys.size < mostKeys) quotedKeys.set(key, quoted)
  return quoted
}
