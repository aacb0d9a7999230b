/** What the names of one file have before those of another: `model.` where a training script saved `{model: …}`. */

/** Prefixes to take away, as `ckpt diff --strip-prefix` does, so that more names of the two files are alike. */
export interface PrefixBetween {
  /** One, of the file that has it; or two, one of each file. */
  readonly prefixes: readonly string[]
  /** Names that both have then. */
  readonly names: number
}

/** Of the names of the file that has fewer, this part has to be found. */
const leastPart = 0.5

/**
 * Null where the two have most names in common as they are, or no prefix brings them together. Of several prefixes the
 * one of most names counts, and of those the shortest: `model.` rather than `model_ema.`.
 */
export function findPrefixBetween(a: readonly string[], b: readonly string[]): PrefixBetween | null {
  const [ours, theirs] = [new Set(a), new Set(b)]
  const needed = Math.max(1, Math.ceil(leastPart * Math.min(ours.size, theirs.size)))
  if (a.filter((name) => theirs.has(name)).length >= needed) return null
  const found = bestOf([...prefixesBefore(ours, b), ...prefixesBefore(theirs, a)]) ?? ofEach(a, b)
  return found === null || found.names < needed ? null : found
}

/** Names of both files that differ in what each file has before all of its own. */
function ofEach(a: readonly string[], b: readonly string[]): PrefixBetween | null {
  const [before, other] = [commonPrefix(a), commonPrefix(b)]
  if (before === '' || other === '') return null
  const bare = new Set(a.map((name) => name.slice(before.length)))
  const names = b.filter((name) => bare.has(name.slice(other.length))).length
  return names === 0 ? null : { prefixes: [before, other], names }
}

/** What stands before `bare` names in others, with how many have it. */
function prefixesBefore(bare: ReadonlySet<string>, others: readonly string[]): PrefixBetween[] {
  const counts = new Map<string, number>()
  for (const name of others) {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const prefix = name.slice(0, dot + 1)
      if (bare.has(name.slice(dot + 1))) counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
    }
  }
  return [...counts].map(([prefix, names]) => ({ prefixes: [prefix], names }))
}

function bestOf(found: readonly PrefixBetween[]): PrefixBetween | null {
  const lengthOf = ({ prefixes }: PrefixBetween) => prefixes.join('').length
  return [...found].sort((one, other) => other.names - one.names || lengthOf(one) - lengthOf(other))[0] ?? null
}

/** The parts between dots that all names begin with, as far as something is left of each. */
function commonPrefix(names: readonly string[]): string {
  const [first = '', ...others] = names
  let end = 0
  for (let dot = first.indexOf('.'); dot >= 0; dot = first.indexOf('.', dot + 1)) {
    const prefix = first.slice(0, dot + 1)
    if (!others.every((name) => name.startsWith(prefix))) break
    end = dot + 1
  }
  return others.length === 0 ? '' : first.slice(0, end)
}
