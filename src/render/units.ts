/** Sizes, ages and numbers as people read them. */
import prettyBytes from 'pretty-bytes'
import prettyMilliseconds from 'pretty-ms'

/** Bytes in powers of 1000, three significant digits: `1.23 GB`. */
export function formatSize(bytes: number): string {
  return prettyBytes(bytes)
}

/** Seconds in the largest unit of which there is one: `3h`. A time to come is `in 3h`. */
export function formatAge(seconds: number): string {
  if (Math.abs(seconds) < 1) return 'now'
  const text = prettyMilliseconds(Math.floor(Math.abs(seconds)) * 1000, { compact: true })
  return seconds < 0 ? `in ${text}` : text
}

/** A number in at most `digits` significant digits; integers whole. */
export function formatNumber(value: number | bigint, digits = 5): string {
  if (typeof value === 'bigint') return value.toString()
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value)
  return digits >= 17 ? String(value) : String(Number(value.toPrecision(digits)))
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
