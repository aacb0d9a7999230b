/**
 * PyYAML 6's implicit resolvers and scalar constructors (yaml/resolver.py, yaml/constructor.py): YAML 1.1 with
 * PyYAML's own quirks. `1e5`, `0o7`, `08`, `y` and `n` are strings; `014` is 12, `1:30` is 90, `on` is true.
 */
import { FormatError } from '../../errors.js'
import { quote } from '../text/quote.js'
import type { PyDate, PyDatetime, PyValue } from '../python/value.js'

export type ImplicitTag = 'bool' | 'float' | 'int' | 'merge' | 'null' | 'timestamp' | 'value' | 'str'

const bool = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/
const float =
  /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/
const int =
  /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const nothing = /^(?:~|null|Null|NULL|)$/
const timestamp =
  /^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9]{2})?))?)$/
const timestampParts =
  /^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?$/

/** The most common number, spelled as Python's repr does: worth a test of its own. */
const simpleFloat = /^-?[0-9]+\.[0-9]+$/
const simpleInt = /^(?:0|-?[1-9][0-9]*)$/

/** Integers with more digits than this are refused, as CPython refuses them (sys.int_info.default_max_str_digits). */
const maxDigits = 4300

/** The tag that PyYAML gives to a plain scalar. */
export function implicitTag(text: string): ImplicitTag {
  const first = text.charAt(0)
  if (first === '') return 'null'
  if ('yYnNtTfFoO'.includes(first) && bool.test(text)) return 'bool'
  if ('-+0123456789.'.includes(first)) {
    if (float.test(text)) return 'float'
    if (int.test(text)) return 'int'
    if (timestamp.test(text)) return 'timestamp'
    return 'str'
  }
  if ('~nN'.includes(first) && nothing.test(text)) return 'null'
  if (text === '<<') return 'merge'
  if (text === '=') return 'value'
  return 'str'
}

/** The value of a plain scalar. Throws FormatError where PyYAML raises (`=`, `<<`, the 13th month). */
export function resolvePlain(text: string): PyValue {
  const code = text.charCodeAt(0)
  if (code === 45 || (code >= 48 && code <= 57)) {
    if (simpleFloat.test(text)) return Number(text)
    if (text.length < 16 && simpleInt.test(text)) return BigInt(Number(text))
  }
  if (text === 'true') return true
  return constructScalar(implicitTag(text), text)
}

/** What PyYAML's constructor for that tag makes of the text. Throws FormatError where it raises. */
export function constructScalar(tag: ImplicitTag, text: string): PyValue {
  switch (tag) {
    case 'str':
      return text
    case 'null':
      return null
    case 'bool':
      return constructBool(text)
    case 'int':
      return constructInt(text)
    case 'float':
      return constructFloat(text)
    case 'timestamp':
      return constructTimestamp(text)
    case 'merge':
    case 'value':
      throw new FormatError(`a plain ${text} has no value of its own`, { hint: `quote it: '${text}'` })
  }
}

function constructBool(text: string): boolean {
  const word = text.toLowerCase()
  if (word === 'yes' || word === 'true' || word === 'on') return true
  if (word === 'no' || word === 'false' || word === 'off') return false
  throw new FormatError(`${quote(text)} is not a boolean`)
}

/** Characters of which the underscores are taken out at a time: millions of matches at once take much memory. */
const strideOfUnderscores = 65_536

function withoutUnderscores(text: string): string {
  let bare = ''
  for (let at = 0; at < text.length; at += strideOfUnderscores) {
    bare += text.slice(at, at + strideOfUnderscores).replaceAll('_', '')
  }
  return bare
}

function constructInt(text: string): bigint {
  refuseLong(text)
  const digits = withoutUnderscores(text)
  const negative = digits.startsWith('-')
  const bare = /^[-+]/.test(digits) ? digits.slice(1) : digits
  const magnitude = magnitudeOf(bare, text)
  return negative ? -magnitude : magnitude
}

/** Counted in place: a text of millions is copied several times over before the first of the copies is let go. */
function refuseLong(text: string): void {
  if (text.length <= maxDigits) return
  let count = 0
  for (let at = /^[-+]/.test(text) ? 1 : 0; at < text.length; at += 1)
    if (text.charCodeAt(at) !== underscore) count += 1
  if (count > maxDigits) throw new FormatError(`an integer of ${count} digits; at most ${maxDigits} are read`)
}

const underscore = 95

function magnitudeOf(bare: string, text: string): bigint {
  if (/^0b[01]+$/.test(bare) || /^0x[0-9a-fA-F]+$/.test(bare)) return BigInt(bare)
  if (/^0[0-7]+$/.test(bare)) return BigInt(`0o${bare}`)
  if (/^[0-9]+$/.test(bare) && (bare === '0' || !bare.startsWith('0'))) return BigInt(bare)
  if (/^[0-9]+(?::[0-9]+)+$/.test(bare)) return bare.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
  throw new FormatError(`${quote(text)} is not an integer`)
}

function constructFloat(text: string): number {
  const lower = withoutUnderscores(text).toLowerCase()
  const sign = lower.startsWith('-') ? -1 : 1
  const bare = /^[-+]/.test(lower) ? lower.slice(1) : lower
  if (bare === '.inf') return sign * Infinity
  if (bare === '.nan') return NaN
  return sign * (bare.includes(':') ? sexagesimal(bare, text) : decimal(bare, text))
}

function sexagesimal(bare: string, text: string): number {
  let sum = 0
  let base = 1
  for (const part of bare.split(':').reverse()) {
    sum += decimal(part, text) * base
    base *= 60
  }
  return sum
}

/** Python's float(): also `inf`, `infinity` and `nan` in any case, which only an explicit `!!float` brings here. */
function decimal(bare: string, text: string): number {
  const trimmed = bare.trim()
  if (/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?$/.test(trimmed)) return Number(trimmed)
  if (trimmed === 'inf' || trimmed === 'infinity') return Infinity
  if (trimmed === 'nan') return NaN
  throw new FormatError(`${quote(text)} is not a number`)
}

function constructTimestamp(text: string): PyDate | PyDatetime {
  const parts = timestampParts.exec(text)
  if (parts === null) throw new FormatError(`${quote(text)} is not a date or time`)
  const [, year, month, day, hour, minute, second, fraction, zone, sign, zoneHour, zoneMinute] = parts
  const date = { year: Number(year), month: Number(month), day: Number(day) }
  if (!isDate(date.year, date.month, date.day)) throw new FormatError(`there is no date ${text}`)
  if (hour === undefined) return { kind: 'date', ...date }
  const time = { hour: Number(hour), minute: Number(minute), second: Number(second) }
  const offset = zone === undefined ? null : offsetOf(sign, zoneHour, zoneMinute)
  if (time.hour > 23 || time.minute > 59 || time.second > 59 || Math.abs(offset ?? 0) >= 1440) {
    throw new FormatError(`there is no time ${text}`)
  }
  const microsecond = Number((fraction ?? '').slice(0, 6).padEnd(6, '0'))
  return { kind: 'datetime', ...date, ...time, microsecond, offset }
}

function offsetOf(sign: string | undefined, hour: string | undefined, minute: string | undefined): number {
  const minutes = Number(hour ?? 0) * 60 + Number(minute ?? 0)
  return sign === '-' && minutes !== 0 ? -minutes : minutes
}

/** True for a day of Python's calendar: years 1 to 9999. */
function isDate(year: number, month: number, day: number): boolean {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return day <= (month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31)
}
