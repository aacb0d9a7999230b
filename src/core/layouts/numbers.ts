import type { MetaValue } from '../checkpoint.js'

/** A meta value as a finite number; null for any other. */
export function toFinite(value: MetaValue | undefined): number | null {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
