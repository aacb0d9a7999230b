/** "Did you mean …?": the known name that is nearest to a mistyped one. */

/** Longer names are not compared: nobody mistypes them, and the cost grows with the square. */
const longest = 100

/** Names that are proposed in one hint, at most. */
const mostNamed = 3

/** The first of `nearestNames`: in a time stamp what stands first tells most. Undefined when none is near. */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  return nearestNames(wanted, known)[0]
}

/**
 * The known names that were most likely meant: those that differ in case or separators only, else the fewest typing
 * slips away (a slip a third of the name at most), else those that contain the other. All that are equally near, three
 * at most, and first the one that begins alike for longest.
 */
export function nearestNames(wanted: string, known: Iterable<string>): string[] {
  const target = fold(wanted)
  if (target.length > longest) return []
  let least = Infinity
  let near = new Set<string>()
  for (const name of known) {
    const cost = costOf(target, fold(name))
    if (cost < least) near = new Set()
    if (cost < Infinity && cost <= least) near.add(name)
    least = Math.min(least, cost)
  }
  return likeliest(wanted, [...near])
}

/** Undefined when none is near; `shown` is how a name is written there. */
export function didYouMean(
  wanted: string,
  known: Iterable<string>,
  shown: (name: string) => string = (name) => name,
): string | undefined {
  const near = nearestNames(wanted, known)
  return near.length === 0 ? undefined : `did you mean ${orList(near.map(shown))}?`
}

/** `a, b or c`. */
export function orList(names: readonly string[]): string {
  return [...names.slice(0, -2), names.slice(-2).join(' or ')].join(', ')
}

/**
 * The known names that are the fewest typing slips away, case aside: `most` at the most, and no more than half of the
 * letters. None that is farther, and three at most.
 */
export function namesWithin(most: number, wanted: string, known: readonly string[]): string[] {
  const target = fold(wanted)
  if (target.length > longest) return []
  const slips = known.map((name) => countSlips(target, fold(name)))
  const least = Math.min(most, Math.max(1, Math.floor(target.length / 2)), ...slips)
  return likeliest(
    wanted,
    known.filter((_, index) => slips[index] === least),
  )
}

/** Of names that are equally near. */
function likeliest(wanted: string, near: readonly string[]): string[] {
  return near.toSorted((a, b) => sharedStart(wanted, b) - sharedStart(wanted, a)).slice(0, mostNamed)
}

/** Characters. */
function sharedStart(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length += 1
  return length
}

/** Case and the choice of separator are what people misremember first. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_/.: ]/g, '-')
}

/** Slips apart; larger by a hundred for containment alone, infinite when the two are not alike. */
function costOf(wanted: string, name: string): number {
  const allowed = Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
  if (Math.abs(wanted.length - name.length) <= allowed) {
    const slips = countSlips(wanted, name)
    if (slips <= allowed && slips < Math.max(wanted.length, name.length)) return slips
  }
  const [short, long] = wanted.length < name.length ? [wanted, name] : [name, wanted]
  return short.length >= 3 && long.includes(short) ? 100 + long.length - short.length : Infinity
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. */
function countSlips(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(at(previous, j) + 1, at(row, j - 1) + 1, at(previous, j - 1) + (same ? 0 : 1))
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) cost = Math.min(cost, at(before, j - 2) + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return at(previous, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity
}
