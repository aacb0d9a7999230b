/** Findings about what one file names: a few of each kind, and of the rest their count. */
import type { Finding } from '../../checkpoint.js'

/** Findings of a kind that are reported one by one. */
const mostListed = 8

/** What is said of the rest of a kind: `what` completes "names 7 more files that ...". */
interface Rest {
  readonly grade: Finding['grade']
  readonly what: string
}

export class SummedFindings<Kind extends string> {
  readonly #listed: Finding[] = []
  readonly #counts = new Map<Kind, number>()

  /** `file` is what names the others; the findings of the rest come in the order of the kinds. */
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
