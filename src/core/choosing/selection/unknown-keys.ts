/** Names that no checkpoint has: most likely a slip, reported as a warning. */
import type { Checkpoint } from '../../checkpoint.js'
import { nearestNames, orList } from '../expression/index.js'
import { builtInNames, scopeOf } from './scope.js'

export interface UnknownKey {
  readonly name: string
  /** The known names that were probably meant, equally near. */
  readonly nearest?: readonly string[]
  /** Some have it from another step, where it was measured and no checkpoint was saved. */
  readonly elsewhere?: true
  /** The name with spaces around an operator in it, where that makes known names: `epoch - 1`. */
  readonly spaced?: string
}

/** Empty for no checkpoints at all: nothing can be said of keys then. */
export function unknownKeys(names: Iterable<string>, checkpoints: readonly Checkpoint[]): UnknownKey[] {
  if (checkpoints.length === 0) return []
  const isKnown = (name: string) => checkpoints.some((checkpoint) => scopeOf(checkpoint, 0).get(name) !== undefined)
  const unknown = Array.from(names).filter((name) => !isKnown(name))
  if (unknown.length === 0) return []
  const known = knownNames(checkpoints)
  return unknown.map((name) => {
    if (checkpoints.some(({ meta }) => meta.has(name))) return { name, elsewhere: true }
    const spaced = spacedOut(name, isKnown)
    if (spaced !== undefined) return { name, spaced }
    const nearest = nearestNames(name, known)
    return nearest.length === 0 ? { name } : { name, nearest }
  })
}

/** Of several runs: what none of them has, for frameworks differ. The nearest name of any of them is taken. */
export function unknownInAll(runs: readonly (readonly UnknownKey[])[]): UnknownKey[] {
  const [first = [], ...others] = runs
  return first.flatMap((key) => {
    const same = [key, ...others.flatMap((unknown) => unknown.filter(({ name }) => name === key.name))]
    if (same.length < runs.length) return []
    return [same.find(({ elsewhere, nearest }) => elsewhere === true || nearest !== undefined) ?? key]
  })
}

/** One line for people. */
export function describeUnknownKey({ name, nearest, spaced, elsewhere }: UnknownKey): string {
  if (elsewhere === true) return `no checkpoint was saved at a step at which ${JSON.stringify(name)} was measured`
  const missing = `no checkpoint has ${JSON.stringify(name)}`
  if (spaced !== undefined) return `${missing}; for an operation put spaces around the operator: ${spaced}`
  return nearest === undefined ? missing : `${missing}; ${meant(nearest)}`
}

/** `did you mean "WER" or "CER"?` */
export function meant(nearest: readonly string[]): string {
  return `did you mean ${orList(nearest.map((name) => JSON.stringify(name)))}?`
}

function knownNames(checkpoints: readonly Checkpoint[]): Set<string> {
  const keys = new Set<string>()
  for (const checkpoint of checkpoints) for (const key of checkpoint.meta.keys()) keys.add(key)
  for (const settings of new Set(checkpoints.map((one) => one.settings))) {
    for (const name of settings?.all.keys() ?? []) keys.add(name)
  }
  for (const name of builtInNames) {
    if (checkpoints.some((checkpoint) => scopeOf(checkpoint, 0).get(name) !== undefined)) keys.add(name)
  }
  return keys
}

/** `loss/num-examples` is a name; with one `/` or `-` set apart it may be what was meant. */
function spacedOut(name: string, isKnown: (name: string) => boolean): string | undefined {
  const isOperand = (part: string) => /^(\d+\.?\d*|\.\d+)$/.test(part) || (part !== '' && isKnown(part))
  for (const { index } of name.matchAll(/[-/]/g)) {
    const left = name.slice(0, index)
    const right = name.slice(index + 1)
    if (isOperand(left) && isOperand(right)) return `${left} ${name.charAt(index)} ${right}`
  }
  return undefined
}
