/** Findings about the files that one file names: the first few of each kind, then how many more there are. */
import type { Finding } from '../../checkpoint.js'

/** Findings of a kind that are reported one by one. */
const mostListed = 8

/** How the others of a kind are reported: `what` completes "names 7 more files that ...". */
interface Rest {
  readonly grade: Finding['grade']
  readonly what: string
}

export class SummedFindings<Kind extends string> {
  readonly #listed: Finding[] = []
  readonly #counts = new Map<Kind, number>()

  /** `file` names the others; what is reported by count alone comes in the order of `kinds`. */
  constructor(
    private readonly file: string,
    private readonly kinds: Readonly<Record<Kind, Rest>>,
  ) {}

  add(kind: Kind, make: () => Finding): void {
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    if (count <= mostListed) this.#listed.push(make())
  }

  summedUp(): Finding[] {
    const rest = (Object.keys(this.kinds) as Kind[]).flatMap((kind): Finding[] => {
      const { grade, what } = this.kinds[kind]
      const count = (this.#counts.get(kind) ?? 0) - mostListed
      return count > 0 ? [{ grade, reason: `${this.file} names ${count} more files that ${what}` }] : []
    })
    return [...this.#listed, ...rest]
  }
}
