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
    for (const [key, value] of meta) {
      if ((typeof value !== 'number' && typeof value !== 'bigint') || seen.has(key)) continue
      seen.add(key)
      if ((directions.get(key) ?? directionOf(key)) !== undefined) keys.push(key)
    }
  }
  return keys
}
