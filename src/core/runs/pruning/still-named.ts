/** What of a framework's books a plan leaves wrong: they are not ckpt's to write. */
import type { Checkpoint } from '../../checkpoint.js'
import { addTo } from '../../grouped.js'

/** A sentence for each of these books. */
export function describeStillNamed(going: readonly Checkpoint[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, stillNamed } of going) if (stillNamed !== undefined) addTo(names, stillNamed, name)
  return [...names].map(([what, [first = '', ...more]]) => {
    const others = more.length === 0 ? '' : ` and ${more.length} more of these`
    return `${first}${others} will still be named by ${what}`
  })
}
