/** Sizes, ages and numbers as people read them. */
import { formatSize } from '../core/formats/text/size-text.js'

export { formatSize }

/** Seconds of each unit, the largest first. */
const units = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
] as const

/** Seconds in the largest unit of which there is one: `3h`. A time to come is `in 3h`. */
export function formatAge(seconds: number): string {
  if (Math.abs(seconds) < 1) return 'now'
  const whole = Math.floor(Math.abs(seconds))
  const [unit, length] = units.find(([, one]) => whole >= one) ?? ['s', 1]
  const text = `${Math.floor(whole / length)}${unit}`
  return seconds < 0 ? `in ${text}` : text
}

/** `5m ago`, `now`; `in 5m` by a clock that is ahead. */
export function formatAgo(seconds: number): string {
  const age = formatAge(seconds)
  return age === 'now' || age.startsWith('in ') ? age : `${age} ago`
}

/** Significant digits that tell any two doubles apart. */
export const allDigits = 17

/** A number in at most `digits` significant digits; what is before the point is always whole. */
export function formatNumber(value: number | bigint, digits = 5): string {
  if (typeof value === 'bigint') return value.toString()
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value)
  if (digits >= allDigits) return String(value)
  const before = Math.abs(value) < 1 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1
  return String(Number(value.toPrecision(Math.min(Math.max(digits, before), allDigits))))
}

/** In a table; a dash where there is none. */
export function numberOrDash(value: number | bigint | null | undefined): string {
  return value === null || value === undefined ? '-' : formatNumber(value)
}

/** In a table; a dash where it is not known. */
export function sizeOrDash(bytes: number | null): string {
  return bytes === null ? '-' : formatSize(bytes)
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** `1 value is`, `2 values are`. */
export function pluralIs(count: number, word: string): string {
  return `${plural(count, word)} ${count === 1 ? 'is' : 'are'}`
}
