/** Which hook is meant: as SpeechBrain's, by name before by class, and of classes the most specific. */
import type { Command, Hook, Step } from './hook.js'

/** A file that something is to be done with. */
export interface Subject {
  /** Its key in the checkpoint; null for a file that is in none. */
  readonly key: string | null
  /** Its name without folders. */
  readonly name: string
}

/** A hook, and of it the command for one step. */
export interface ChosenHook {
  readonly hook: Hook
  readonly step: Step
  readonly command: Command
}

/**
 * The hook for this step, or null. One for the key wins over patterns, among patterns the most specific: the one with
 * the most characters that stand for themselves, then the one with the fewest wildcards. Of equals it is the first:
 * hooks of nearer files stand before those of farther ones. Patterns are for the name of the file, and for its key:
 * `*.zst` is for `model.zst` and for SpeechBrain's `model.zst.ckpt`.
 */
export function chooseHook(hooks: readonly Hook[], subject: Subject, step: Step): ChosenHook | null {
  let best: ChosenHook | null = null
  for (const hook of hooks) {
    const command = hook.commands.get(step)
    if (command === undefined || !isFor(hook, subject)) continue
    if (best === null || isMoreSpecific(hook, best.hook)) best = { hook, step, command }
  }
  return best
}

function isFor({ selector }: Hook, { key, name }: Subject): boolean {
  if (selector.kind === 'key') return selector.key === key
  return selector.matches(name) || (key !== null && selector.matches(key))
}

function isMoreSpecific(one: Hook, other: Hook): boolean {
  const [a, b] = [specificity(one), specificity(other)]
  const index = a.findIndex((value, at) => value !== b[at])
  return index !== -1 && (a[index] ?? 0) > (b[index] ?? 0)
}

/** A key before patterns; then characters that stand for themselves; then, the fewer the better, wildcards. */
function specificity({ selector }: Hook): readonly number[] {
  if (selector.kind === 'key') return [1]
  const wildcards = selector.pattern.match(wildcard) ?? []
  const literal = selector.pattern.replaceAll(wildcard, '').replaceAll(/\\(.)/g, '$1')
  return [0, literal.length, -wildcards.length]
}

/** `*`, `?`, `[a-z]`, `{a,b}`, but for such behind a backslash. */
const wildcard = /(?<!\\)(?:\*+|\?|\[[^\]]*\]|\{[^}]*\})/g
