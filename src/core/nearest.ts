/** "Did you mean …?": the known name that is nearest to a mistyped one. */

/** Longer names are not compared: nobody mistypes them, and the cost grows with the square. */
const longest = 100

/**
 * The known name that was most likely meant: one that differs in case or separators only, else the fewest typing
 * slips away (a slip a third of the name at most), else one that contains the other. Of several as near the one that
 * begins alike for longest: in a time stamp what stands first tells most. Undefined when none is near.
 */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Infinity
  let alike = 0
  const target = fold(wanted)
  if (target.length > longest) return undefined
  for (const name of known) {
    const cost = costOf(target, fold(name))
    const isNearer = cost < least || (cost === least && cost < Infinity && sharedStart(wanted, name) > alike)
    if (isNearer) {
      best = name
      least = cost
      alike = sharedStart(wanted, name)
    }
  }
  return best
}

/**
 * The known names that are the fewest typing slips away, case aside: `most` at the most, and no more than half of the
 * letters. None that is farther.
 */
export function namesWithin(most: number, wanted: string, known: readonly string[]): string[] {
  const target = fold(wanted)
  if (target.length > longest) return []
  const slips = known.map((name) => countSlips(target, fold(name)))
  const least = Math.min(most, Math.max(1, Math.floor(target.length / 2)), ...slips)
  return known.filter((_, index) => slips[index] === least)
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
