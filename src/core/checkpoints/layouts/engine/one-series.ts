/** Folders that count may be models of several trainings, which somebody put side by side: `bert-step-3/`, `gpt-step-3/`. */
import { groupBy } from '../../../grouped.js'

const ofOneTraining = /(?:^|[-_.])(?:best|final|last|latest)(?=[-_.]|$)/i

/**
 * Those of one training, by what stands before the count in their names: where nothing does in some, they are; else all,
 * if it is the same in all. `counts` finds where the count begins, with its word.
 */
export function ofOneSeries<T>(items: readonly T[], nameOf: (item: T) => string, counts: RegExp): readonly T[] {
  const byPrefix = groupBy(items, (item) => {
    const name = nameOf(item)
    return name.slice(0, Math.max(0, name.search(counts))).replace(ofOneTraining, '')
  })
  return byPrefix.get('') ?? (byPrefix.size === 1 ? items : [])
}
