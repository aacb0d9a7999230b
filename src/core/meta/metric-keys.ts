import type { Meta } from '../checkpoint.js'
import { directionOf } from './direction.js'

/** The keys that hold a number in any of the metas and whose direction is known, in order of first appearance. */
export function metricKeys(metas: readonly Meta[]): string[] {
  const seen = new Set<string>()
  const keys: string[] = []
  for (const meta of metas) {
    for (const [key, value] of meta) {
      if ((typeof value !== 'number' && typeof value !== 'bigint') || seen.has(key)) continue
      seen.add(key)
      if (directionOf(key) !== undefined) keys.push(key)
    }
  }
  return keys
}
