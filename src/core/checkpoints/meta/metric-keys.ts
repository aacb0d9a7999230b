/** Which keys of the meta are metrics. */
import type { Direction, Meta } from '../../checkpoint.js'
import { directionOf } from './direction.js'

/**
 * The keys that hold a number in any of the metas and whose direction is known, by `directions` or by their names, in order
 * of first appearance.
 */
export function metricKeys(metas: readonly Meta[], directions: ReadonlyMap<string, Direction> = new Map()): string[] {
  const seen = new Set<string>()
  const keys: string[] = []
  for (const meta of metas) {
    // Thousands have the same keys: of most nothing but the key is looked at.
    for (const key of meta.keys()) {
      if (seen.has(key)) continue
      const value = meta.get(key)
      if (typeof value !== 'number' && typeof value !== 'bigint') continue
      seen.add(key)
      if ((directions.get(key) ?? directionOf(key)) !== undefined) keys.push(key)
    }
  }
  return keys
}
