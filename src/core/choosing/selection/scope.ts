/** The names that an expression or an order may ask of a checkpoint. */
import {
  canBeResumed,
  isMeta,
  ownMeta,
  ownValue,
  timeOf,
  type Checkpoint,
  type HyperParameters,
  type Meta,
  type MetaValue,
} from '../../checkpoint.js'
import type { Scope, Value } from '../expression/index.js'

type BuiltIn = (checkpoint: Checkpoint, now: number) => Value | null

/** Beside the meta. Times and ages are seconds, sizes bytes; null is not known. */
const builtIns: ReadonlyMap<string, BuiltIn> = new Map<string, BuiltIn>([
  ['name', (checkpoint) => checkpoint.name],
  ['path', (checkpoint) => checkpoint.path],
  ['time', timeOf],
  ['age', ageOf],
  ['size', (checkpoint) => checkpoint.size],
  ['step', (checkpoint) => checkpoint.step],
  ['epoch', (checkpoint) => checkpoint.epoch],
  ['layout', (checkpoint) => checkpoint.layout],
  ['health', (checkpoint) => checkpoint.health.grade],
  ['resumable', canBeResumed],
  ['files', (checkpoint) => checkpoint.files.map((file) => file.key)],
])

function ageOf(checkpoint: Checkpoint, now: number): number | null {
  const time = timeOf(checkpoint)
  return time === null ? null : now - time
}

export const builtInNames: readonly string[] = [...builtIns.keys()]

/** A meta key cannot take these. */
const fixed: ReadonlySet<string> = new Set(['name', 'path'])

/** Before the name of a hyper-parameter. */
export const settingPrefix = 'hp.'

/** `hp.lr`, or `lr` where nothing else has that name; `lr` is also `optimizer.lr` where only one setting ends so. */
function settingOf({ settings }: Checkpoint, name: string): MetaValue | undefined {
  if (settings === undefined) return undefined
  const isPrefixed = name.startsWith(settingPrefix)
  if (!isPrefixed && settings.shadowed.has(name)) return undefined
  const bare = isPrefixed ? name.slice(settingPrefix.length) : name
  return (settings.all.get(bare) ?? settings.all.get(lastParts(settings.all).get(bare) ?? ''))?.value
}

const knownLastParts = new WeakMap<HyperParameters, ReadonlyMap<string, string>>()

/** By what stands behind the last dot, the whole name where only one ends so. */
function lastParts(all: HyperParameters): ReadonlyMap<string, string> {
  const known = knownLastParts.get(all)
  if (known !== undefined) return known
  const parts = new Map<string, string>()
  for (const name of all.keys()) {
    const last = name.slice(name.lastIndexOf('.') + 1)
    parts.set(last, parts.has(last) ? '' : name)
  }
  knownLastParts.set(all, parts)
  return parts
}

/**
 * The names of one checkpoint: a meta key wins over a built-in but for `name` and `path`, and both over what the run
 * was started with. A value that was measured at another step is not there. `now` is Unix seconds.
 */
export function scopeOf(checkpoint: Checkpoint, now: number): Scope {
  return {
    key: (name) => ownValue(checkpoint, name),
    get: (name) => {
      const own = fixed.has(name) ? undefined : lookUp(ownMeta(checkpoint), name)
      if (own !== undefined) return own
      return builtIns.get(name)?.(checkpoint, now) ?? settingOf(checkpoint, name)
    },
  }
}

/** Characters of a name with dots; of a longer one only the whole is looked for, as each part costs its length. */
const longestPath = 1000

/** A key with a literal dot first; then dots walk into nested meta, the longest key that is there first. */
function lookUp(meta: Meta, name: string): MetaValue | undefined {
  const whole = meta.get(name)
  if (whole !== undefined || name.length > longestPath) return whole
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const inner = meta.get(name.slice(0, dot))
    if (isMeta(inner)) return lookUp(inner, name.slice(dot + 1))
  }
  return undefined
}
