/** Values of the data as the page orders and shows them. */
import { formatNumber, formatSize } from '../units.js'

/** What rows are ordered by; null comes last whichever way. */
export type SortValue = number | string | null

const named = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])

/** A number of the data; undefined for what is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'string' ? named.get(value) : undefined
}

/** The same to draw: what is not finite is a gap. */
export function finiteOf(value: unknown): number | null {
  const number = numberOf(value)
  return number !== undefined && Number.isFinite(number) ? number : null
}

export function sortValueOf(value: unknown): SortValue {
  const number = numberOf(value)
  if (number !== undefined) return Number.isNaN(number) ? null : number
  if (typeof value === 'boolean') return Number(value)
  return typeof value === 'string' ? value : null
}

export function compare(a: SortValue, b: SortValue, direction: 1 | -1): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1
  return a < b ? -direction : a > b ? direction : 0
}

/** For people: at most five significant digits. */
export function shownValue(value: unknown, digits = 5): string {
  const number = numberOf(value)
  if (number !== undefined) return formatNumber(number, digits)
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function shownSize(bytes: number | null): string {
  return bytes === null ? '' : formatSize(bytes)
}

/** Local time to the minute, which sorts as it reads. */
export function shownTime(seconds: number | null): string {
  if (seconds === null || !(Math.abs(seconds) < 8.64e12)) return ''
  const date = new Date(seconds * 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}
