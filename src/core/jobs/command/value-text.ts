/** How a value of the meta stands in an argument or in an environment variable. */
import { isMeta, OpaqueValue, type MetaValue } from '../../checkpoint.js'

/**
 * Strings as they are; numbers as JavaScript prints them, shortest (`0.1`, `1e-7`), and `NaN`, `Infinity`,
 * `-Infinity`; `true`, `false`, `null`; lists and nested meta as JSON, in which what JSON cannot hold is a string.
 * No argument and no variable of a process can hold a NUL, so it becomes U+FFFD.
 */
export function valueText(value: MetaValue): string {
  return textOf(value).replaceAll('\0', '\uFFFD')
}

function textOf(value: MetaValue): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (value instanceof OpaqueValue) return value.text
  return jsonOf(value)
}

/** Not JSON.stringify: keys are data (`__proto__`), and integers may be larger than a double holds. */
function jsonOf(value: MetaValue): string {
  if (typeof value === 'number') return Number.isFinite(value) ? textOf(value) : `"${value}"`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint' || typeof value === 'boolean' || value === null) return String(value)
  if (value instanceof OpaqueValue) return JSON.stringify(value.text)
  if (!isMeta(value)) return `[${value.map(jsonOf).join(',')}]`
  return `{${[...value].map(([key, inner]) => `${JSON.stringify(key)}:${jsonOf(inner)}`).join(',')}}`
}
