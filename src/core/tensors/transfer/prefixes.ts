/** What wrappers put before names. */

/** DataParallel and DDP, Hugging Face and Lightning, torch.compile, and files that keep the model beside other things. */
const usual = ['module.', 'model.', '_orig_mod.', 'state_dict.']

/** Wrappers around one another; deeper ones were never seen. */
const mostWrappers = 4
/** Candidates on each side; the likeliest come first. */
const mostCandidates = 12

export interface PrefixChange {
  /** Taken from the source's names; empty for none. */
  readonly strip: string
  /** Put before what is left; empty for none. */
  readonly add: string
}

type Rename = (name: string) => string

/**
 * The change of prefixes by which most names of the source, renamed as asked in between, are names of the target; null
 * when none makes any so. Where several do, the smallest change.
 */
export function findPrefixChange(
  source: readonly string[],
  target: ReadonlySet<string>,
  rename: Rename,
): PrefixChange | null {
  let best: PrefixChange | null = null
  let most = 0
  for (const strip of candidates(source)) {
    for (const add of candidates([...target])) {
      if (strip === add) continue
      const change = { strip, add }
      const count = source.reduce(
        (sum, name) => sum + (target.has(changePrefix(name, change, rename) ?? '') ? 1 : 0),
        0,
      )
      if (count > most || (count === most && best !== null && sizeOf(change) < sizeOf(best))) {
        best = count === 0 ? best : change
        most = count
      }
    }
  }
  return best
}

/** Undefined for a name without the prefix to be taken away: it is not meant. */
export function changePrefix(name: string, { strip, add }: PrefixChange, rename: Rename): string | undefined {
  return name.startsWith(strip) ? add + rename(name.slice(strip.length)) : undefined
}

/** A name without all usual prefixes. */
export function dropPrefixes(name: string): string {
  return name.slice(wrapperEnds(name).at(-1) ?? 0)
}

function sizeOf({ strip, add }: PrefixChange): number {
  return strip.length + add.length
}

/** Nothing, and the usual prefixes and rows of them that the names begin with, those of most names first. */
function candidates(names: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const name of names) {
    for (const end of wrapperEnds(name)) {
      const prefix = name.slice(0, end)
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
    }
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).map(([prefix]) => prefix)
  return ['', ...sorted.slice(0, mostCandidates)]
}

/** Where each of the prefixes that a name begins with ends. */
function wrapperEnds(name: string): number[] {
  const ends: number[] = []
  let at = 0
  while (ends.length < mostWrappers) {
    const prefix = usual.find((one) => name.startsWith(one, at))
    if (prefix === undefined) break
    at += prefix.length
    ends.push(at)
  }
  return ends
}
