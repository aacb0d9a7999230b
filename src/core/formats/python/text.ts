/** Python's own ways of writing values: str(), repr() and isoformat(). */
import type { ComplexElement, NumericElement } from '../bytes/elements.js'
import type { NumpyScalar, PyComplex, PyDate, PyDatetime, PyTimedelta, PyValue } from './value.js'

/** repr of a float: the shortest digits that give it back, exponents below 1e-4 and from 1e16 on. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.0'
  const text = floatDigits(value)
  return /[.e]/.test(text) ? text : `${text}.0`
}

/** As floatRepr, but a whole number has no `.0` (the parts of a complex number). */
function floatDigits(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) return scientific(value)
  return Object.is(value, -0) ? '-0' : String(value)
}

function scientific(value: number): string {
  const [mantissa = '', exponent = ''] = value.toExponential().split('e')
  const digits = exponent.slice(1).padStart(2, '0')
  return `${mantissa}e${exponent.startsWith('-') ? '-' : '+'}${digits}`
}

/** str of a complex number: `(1-2j)`, `2j`. */
export function complexText({ real, imaginary }: ComplexElement | PyComplex): string {
  const imaginaryText = `${partText(imaginary)}j`
  if (real === 0 && !Object.is(real, -0)) return imaginaryText
  return `(${partText(real)}${imaginaryText.startsWith('-') ? '' : '+'}${imaginaryText})`
}

function partText(value: number): string {
  return Number.isFinite(value) ? floatDigits(value) : floatRepr(value)
}

/** isoformat() of a date. */
export function dateText({ year, month, day }: PyDate | PyDatetime): string {
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`
}

/** isoformat() of a datetime. */
export function datetimeText(value: PyDatetime): string {
  const time = `${pad(value.hour, 2)}:${pad(value.minute, 2)}:${pad(value.second, 2)}`
  const fraction = value.microsecond === 0 ? '' : `.${pad(value.microsecond, 6)}`
  return `${dateText(value)}T${time}${fraction}${offsetText(value.offset)}`
}

function offsetText(offset: number | null): string {
  if (offset === null) return ''
  const minutes = Math.abs(offset)
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`
}

/** str of a timedelta: `2 days, 7:52:08.000005`. */
function timedeltaText({ days, seconds, microseconds }: PyTimedelta): string {
  const clock = `${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`
  const fraction = microseconds === 0 ? '' : `.${pad(microseconds, 6)}`
  return `${days === 0 ? '' : `${days} day${Math.abs(days) === 1 ? '' : 's'}, `}${clock}${fraction}`
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

/** repr of a string: single quotes unless only they occur in it. */
export function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\\n\r\t'\p{C}\p{Z}]/gu, (char) => escapeOf(char, quote))
  return quote + escaped + quote
}

function escapeOf(char: string, quote: string): string {
  if (char === ' ' || (char === "'" && quote === '"')) return char
  if (char === '\\' || char === "'") return `\\${char}`
  const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[char]
  if (named !== undefined) return named
  const code = char.codePointAt(0) ?? 0
  if (code > 0xffff) return `\\U${code.toString(16).padStart(8, '0')}`
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`
}

function bytesRepr(bytes: Uint8Array): string {
  const text = [...bytes].map(byteRepr).join('')
  return text.includes("'") && !text.includes('"') ? `b"${text}"` : `b'${text.replaceAll("'", "\\'")}'`
}

function byteRepr(byte: number): string {
  const named = new Map([
    [9, '\\t'],
    [10, '\\n'],
    [13, '\\r'],
    [92, '\\\\'],
  ]).get(byte)
  if (named !== undefined) return named
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}

/** Nested values deeper than this are shown as `...`; a repr is for people. */
const maxReprDepth = 6
const maxReprItems = 100

/** repr as Python prints it; deep and long ones are cut with `...`. */
export function repr(value: PyValue, depth = 0): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return floatRepr(value)
  if (typeof value === 'string') return stringRepr(value)
  if (depth > maxReprDepth) return '...'
  switch (value.kind) {
    case 'list':
      return `[${reprItems(value.items, depth)}]`
    case 'tuple':
      return `(${reprItems(value.items, depth)}${value.items.length === 1 ? ',' : ''})`
    case 'set':
      return value.items.length === 0 ? 'set()' : `{${reprItems(value.items, depth)}}`
    case 'frozenset':
      return value.items.length === 0 ? 'frozenset()' : `frozenset({${reprItems(value.items, depth)}})`
    case 'dict':
      return reprDict(value.pairs, depth)
    case 'ordereddict':
      return value.pairs.length === 0 ? 'OrderedDict()' : `OrderedDict(${reprDict(value.pairs, depth)})`
    case 'bytes':
      return bytesRepr(value.bytes)
    case 'date':
      return `datetime.date(${value.year}, ${value.month}, ${value.day})`
    case 'datetime':
      return `datetime.datetime(${stringRepr(datetimeText(value))})`
    case 'timedelta':
      return `datetime.timedelta(${timedeltaArguments(value)})`
    case 'complex':
      return complexText(value)
    case 'numpy':
      return elementText(value.value)
    case 'ndarray':
    case 'tensor':
    case 'parameter':
      return `<${value.kind} ${value.dtype} [${value.shape.join(', ')}]>`
    case 'opaque':
      return value.repr
  }
}

function reprItems(items: readonly PyValue[], depth: number): string {
  const shown = items.slice(0, maxReprItems).map((item) => repr(item, depth + 1))
  return (items.length > maxReprItems ? [...shown, '...'] : shown).join(', ')
}

function reprDict(pairs: readonly (readonly [PyValue, PyValue])[], depth: number): string {
  const shown = pairs.slice(0, maxReprItems).map(([key, value]) => `${repr(key, depth + 1)}: ${repr(value, depth + 1)}`)
  return `{${(pairs.length > maxReprItems ? [...shown, '...'] : shown).join(', ')}}`
}

function timedeltaArguments({ days, seconds, microseconds }: PyTimedelta): string {
  const parts = [
    ...(days === 0 ? [] : [`days=${days}`]),
    ...(seconds === 0 ? [] : [`seconds=${seconds}`]),
    ...(microseconds === 0 ? [] : [`microseconds=${microseconds}`]),
  ]
  return parts.length === 0 ? '0' : parts.join(', ')
}

/** An array element as Python's repr of `.item()` shows it. */
export function elementText(value: NumericElement): string {
  if (typeof value === 'object') return value instanceof Uint8Array ? bytesRepr(value) : complexText(value)
  return repr(value)
}

/** str(): as repr, but a string is itself and dates are ISO with a blank. */
export function str(value: PyValue): string {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object') return repr(value)
  switch (value.kind) {
    case 'date':
      return dateText(value)
    case 'datetime':
      return datetimeText(value).replace('T', ' ')
    case 'timedelta':
      return timedeltaText(value)
    case 'numpy':
      return numpyText(value)
    case 'opaque':
      return value.text ?? value.repr
    default:
      return repr(value)
  }
}

function numpyText({ dtype, value }: NumpyScalar): string {
  if (typeof value === 'string') return value
  return elementText(typeof value === 'number' && dtype === 'float32' ? shortestFloat32(value) : value)
}

/** The number of the fewest digits that float32 rounds to this one; nine always do. */
function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits))
    if (Math.fround(shorter) === value) return shorter
  }
  return value
}
