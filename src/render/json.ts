/**
 * `--json`: two-space indented JSON of plain objects, arrays, Maps (as objects) and meta values. What JSON cannot hold
 * (NaN, infinities) are the strings "NaN", "Infinity", "-Infinity"; large integers are written with all their digits
 * (docs/json.md).
 */
import { OpaqueValue } from '../core/checkpoint.js'
import { suspicious, unsafe } from './printable.js'

export function toJson(value: unknown): string {
  const text = write(value, '')
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
  return write(value, null).replaceAll('<', '\\u003c')
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')
}

/** `indent` is that of the line; null: no line is broken. */
function write(value: unknown, indent: string | null): string {
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
      return value === null ? 'null' : writeObject(value, indent)
    default:
      return 'null'
  }
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return Object.is(value, -0) ? '-0' : String(value)
}

function writeObject(value: object, indent: string | null): string {
  if (value instanceof OpaqueValue) return JSON.stringify(value.text)
  const inner = indent === null ? null : `${indent}  `
  if (Array.isArray(value)) {
    return bracket(
      '[',
      value.map((item) => write(item, inner)),
      ']',
      indent,
    )
  }
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value)
  const parts: string[] = []
  for (const [key, item] of entries) {
    if (item !== undefined) parts.push(`${JSON.stringify(String(key))}: ${write(item, inner)}`)
  }
  return bracket('{', parts, '}', indent)
}

function bracket(open: string, parts: readonly string[], close: string, indent: string | null): string {
  if (parts.length === 0) return `${open}${close}`
  if (indent === null) return `${open}${parts.join(',')}${close}`
  return `${open}\n${indent}  ${parts.join(`,\n${indent}  `)}\n${indent}${close}`
}
