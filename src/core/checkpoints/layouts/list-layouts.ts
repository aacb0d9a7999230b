/** Every layout with where it looks: for `ckpt layouts`, and the tables in README and docs. */
import { isOwnLayout, knownSpecs } from './registry.js'

export interface ListedLayout {
  readonly id: string
  readonly title: string
  /** Where its checkpoints lie and what they are, in a few words. */
  readonly looks: string
  /** From the user's settings. */
  readonly isOwn: boolean
}

/** People's own first, then by title. */
export function allLayouts(): ListedLayout[] {
  const listed = knownSpecs().map(({ id, title, looks }) => ({ id, title, looks, isOwn: isOwnLayout(id) }))
  return listed.toSorted(
    (a, b) => Number(b.isOwn) - Number(a.isOwn) || (a.title.toLowerCase() < b.title.toLowerCase() ? -1 : 1),
  )
}
