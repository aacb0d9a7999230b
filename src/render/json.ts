/**
 * `--json`: two-space indented JSON of plain objects, arrays, Maps (as objects) and meta values. What JSON cannot hold
 * (NaN, infinities) are the strings "NaN", "Infinity", "-Infinity"; large integers are written with all their digits
 * (docs/json.md).
 */
import { OpaqueValue } from '../core/checkpoint.js'

export function toJson(value: unknown): string {
  return write(value, '')
}

function write(value: unknown, indent: string): string {
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

function writeObject(value: object, indent: string): string {
  if (value instanceof OpaqueValue) return JSON.stringify(value.text)
  const inner = `${indent}  `
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

function bracket(open: string, parts: readonly string[], close: string, indent: string): string {
  if (parts.length === 0) return `${open}${close}`
  return `${open}\n${indent}  ${parts.join(`,\n${indent}  `)}\n${indent}${close}`
}
