/** Several names for one state, and what names the state to resume from or the best one. */
import { addTo } from '../../../grouped.js'
import type { Pointer } from '../../../checkpoint.js'
import { compareText } from '../folders.js'
import type { Unit } from '../spec.js'
import { isPathOf } from './callbacks.js'
import { isLast } from './file-name.js'
import type { SavedState } from './saved-state.js'
import { markerOf } from './companion-files.js'

export interface Saved {
  readonly unit: Unit
  readonly state: SavedState
}

/**
 * By name, the sibling whose state it has too: what a link leads to, and the checkpoint of the same step with the same
 * weights of which it is a copy: `last.ckpt`, or the same save by another callback. A file that holds less (weights
 * alone) is not a copy of one that holds more.
 */
export function aliasesAmong(saved: readonly Saved[]): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>()
  const byPath = new Map(saved.map(({ unit }) => [unit.path, unit.name]))
  const byState = new Map<string, string>()
  const own = saved.filter(({ unit }) => unit.target === null)
  const isLastOne = lastOnes(saved)
  // Those with a name of their own first: `last-v1.ckpt` may be a copy of `last.ckpt`, where nothing else is.
  const sorted = own.toSorted(
    ({ unit: { name: a } }, { unit: { name: b } }) =>
      Number(isLastOne(a)) - Number(isLastOne(b)) || shortestFirst(a, b),
  )
  for (const { unit, state } of sorted) {
    const key = state.weights === null ? null : `${state.step} ${state.epoch} ${fullness(state)} ${state.weights}`
    const first = key === null ? undefined : byState.get(key)
    if (first !== undefined) aliases.set(unit.name, first)
    else if (key !== null) byState.set(key, unit.name)
  }
  for (const { unit } of saved) {
    const original = unit.target === null ? undefined : byPath.get(unit.target)
    if (original !== undefined) aliases.set(unit.name, aliases.get(original) ?? original)
  }
  return aliases
}

/** What a file holds beside the weights, as far as going on from it needs it. */
function fullness({ contents }: SavedState): string {
  return ['optimizer_states', 'lr_schedulers', 'loops'].filter((key) => contents.includes(key)).join('+')
}

/**
 * What holds for the run: links, and the `last.ckpt` that training is resumed from. One that NeMo has marked as
 * unfinished is none: NeMo passes over it, and removes it at its next start.
 */
export function runPointers(saved: readonly Saved[], aliases: ReadonlyMap<string, string>): Pointer[] {
  const links = saved.flatMap(({ unit: { name, target } }) => {
    const original = target === null ? undefined : aliases.get(name)
    return original === undefined ? [] : [{ label: name, name: original }]
  })
  const isLastOne = lastOnes(saved)
  const [last] = saved
    .filter(
      ({ unit: { name, folder } }) => isLastOne(name) && !folder.entries.some((one) => one.name === markerOf(name)),
    )
    .sort((a, b) => (b.state.step ?? -1) - (a.state.step ?? -1) || shortestFirst(a.unit.name, b.unit.name))
  return last === undefined ? links : [...links, { label: 'ckpt_path="last"', name: last.unit.name, purpose: 'resume' }]
}

/** True for a name under which some callback keeps its last: `CHECKPOINT_NAME_LAST` may be another. */
function lastOnes(saved: readonly Saved[]): (name: string) => boolean {
  const own = new Set(saved.flatMap(({ state }) => state.callbacks.map(({ lastPath }) => lastPart(lastPath))))
  return (name) => isLast(name) || own.has(name)
}

/** `last.ckpt` before `last-v1.ckpt`. */
function shortestFirst(a: string, b: string): number {
  return a.length - b.length || compareText(a, b)
}

/** Finds the checkpoint that a path names which the job wrote down, perhaps on another machine. */
export class Namesakes {
  readonly #byLastPart = new Map<string, string[]>()

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const last = lastPart(name)
      addTo(this.#byLastPart, last, name)
    }
  }

  /** The longest name that the path ends with; undefined when none does. */
  find(path: string): string | undefined {
    const names = this.#byLastPart.get(lastPart(path)) ?? []
    return names.filter((name) => isPathOf(path, name)).sort((a, b) => b.length - a.length)[0]
  }
}

function lastPart(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}
