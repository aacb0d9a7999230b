/** Values of meta as numbers and as text. */
import type { MetaValue } from '../../checkpoint.js'
import { quote } from '../../formats/text/quote.js'

/** A meta value as a finite number; null for any other. */
export function toFinite(value: MetaValue | undefined): number | null {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** What stands where a number should: a text quoted, a list or mapping by its kind. */
export function quoteValue(value: MetaValue): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? 'a list' : 'a mapping'
}
