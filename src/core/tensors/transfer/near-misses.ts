/** Tensors that are likely the same under two names. */
import type { TensorInfo } from '../read/tensor.js'
import { canonical, ruleOf, rulesFor } from './name-rules.js'
import { dropPrefixes } from './prefixes.js'

export interface NearMiss {
  readonly source: TensorInfo
  readonly target: TensorInfo
}

/**
 * Pairs an unexpected with a missing tensor when their names are equal without the usual prefixes, when libraries are
 * known to rename one to the other and the shapes are equal, or else when they end alike and have one shape, and no
 * other tensor does. In the order of the source.
 */
export function findNearMisses(unexpected: readonly TensorInfo[], missing: readonly TensorInfo[]): NearMiss[] {
  const bare = indexBy(missing, ({ name }) => dropPrefixes(name))
  const known = indexBy(missing, canonicalAndShape)
  const tails = indexBy(missing, tailAndShape)
  const sourceTails = indexBy(unexpected, tailAndShape)
  return unexpected.flatMap((source) => {
    const exact = bare.get(dropPrefixes(source.name))?.[0]
    if (exact !== undefined) return [{ source, target: exact }]
    const renamed = known.get(canonicalAndShape(source))?.[0]
    if (renamed !== undefined) return [{ source, target: renamed }]
    const key = tailAndShape(source)
    const alike = tails.get(key) ?? []
    const target = alike[0]
    return target !== undefined && alike.length === 1 && sourceTails.get(key)?.length === 1 ? [{ source, target }] : []
  })
}

function canonicalAndShape({ name, shape }: TensorInfo): string {
  return `${shape.join(',')} ${dropPrefixes(canonical(name))}`
}

/** The last two parts of the name as other libraries have it too, and the shape. */
function tailAndShape({ name, shape }: TensorInfo): string {
  return `${shape.join(',')} ${canonical(name).split('.').slice(-2).join('.')}`
}

function indexBy(tensors: readonly TensorInfo[], keyOf: (tensor: TensorInfo) => string): Map<string, TensorInfo[]> {
  const index = new Map<string, TensorInfo[]>()
  for (const tensor of tensors) {
    const key = keyOf(tensor)
    const list = index.get(key)
    if (list === undefined) index.set(key, [tensor])
    else list.push(tensor)
  }
  return index
}

/** A flag that would make near misses match, and how many. */
export interface Suggestion {
  readonly flag: '--map' | '--strip-prefix' | '--rename' | '--add-prefix'
  readonly value: string
  readonly tensors: number
}

/**
 * What stands before the parts in which both names end, as flags; the one that helps most first. None for names that
 * are the same, which what renames them has taken apart.
 */
export function suggestFlags(nearMisses: readonly NearMiss[]): Suggestion[] {
  const found = new Map<string, Suggestion>()
  for (const { source, target } of nearMisses) {
    if (source.name === target.name) continue
    for (const suggestion of suggestAll(source.name, target.name)) {
      const key = `${suggestion.flag} ${suggestion.value}`
      found.set(key, { ...suggestion, tensors: (found.get(key)?.tensors ?? 0) + 1 })
    }
  }
  return [...found.values()].sort((a, b) => b.tensors - a.tensors)
}

function suggest(source: string, target: string): Omit<Suggestion, 'tensors'> {
  const from = source.split('.')
  const to = target.split('.')
  while (from.length > 0 && to.length > 0 && from.at(-1) === to.at(-1)) {
    from.pop()
    to.pop()
  }
  if (to.length === 0) return { flag: '--strip-prefix', value: `${from.join('.')}.` }
  if (from.length === 0) return { flag: '--add-prefix', value: `${to.join('.')}.` }
  return { flag: '--map', value: `${from.join('.')}=${to.join('.')}` }
}

/** A lone prefix says it best; of other changes a rule says more than a map of one name. */
function suggestAll(source: string, target: string): readonly Omit<Suggestion, 'tensors'>[] {
  const plain = suggest(source, target)
  return plain.flag === '--map' ? (suggestByRule(source, target) ?? [plain]) : [plain]
}

/** Known renamings, at most two, with a prefix before or behind them; undefined where none leads to the name. */
function suggestByRule(source: string, target: string): Omit<Suggestion, 'tensors'>[] | undefined {
  for (const { seds, renamed } of renamings(source)) {
    const renames = seds.map((value) => ({ flag: '--rename', value }) as const)
    if (renamed === target) return renames
    const more = renamed.slice(0, -target.length)
    if (renamed.endsWith(`.${target}`) && source.startsWith(more))
      return [{ flag: '--strip-prefix', value: more }, ...renames]
    const less = target.slice(0, -renamed.length)
    if (target.endsWith(`.${renamed}`)) return [...renames, { flag: '--add-prefix', value: less }]
  }
  return undefined
}

interface Renaming {
  readonly seds: readonly string[]
  readonly renamed: string
}

/** What the rules make of a name: first each by itself, then one after another. */
function renamings(source: string): Renaming[] {
  const once = renamedOnce(source)
  const twice = once.flatMap(({ seds, renamed }) =>
    renamedOnce(renamed)
      .filter((second) => second.renamed !== source)
      .map((second) => ({ ...second, seds: [...seds, ...second.seds] })),
  )
  return [...once, ...twice]
}

function renamedOnce(source: string): Renaming[] {
  return rulesFor(source).flatMap(({ sed, apply }) => {
    const renamed = apply(source)
    return renamed === source ? [] : [{ seds: [sed], renamed }]
  })
}

/**
 * Those of the suggestions that together make more names match than there are matches now, one after another as the
 * command applies them; none where they do not.
 */
export function combinedFlags(
  suggestions: readonly Suggestion[],
  source: readonly string[],
  target: ReadonlySet<string>,
): Suggestion[] {
  const count = (flags: readonly Suggestion[]) => {
    const rename = renamingOf(flags)
    return new Set(source.map(rename).filter((name) => target.has(name))).size
  }
  const chosen: Suggestion[] = []
  let most = count(chosen)
  const careful = suggestions.flatMap((suggestion) => withoutLoss(suggestion, source, target))
  for (const suggestion of careful.slice(0, mostCombined)) {
    const found = count([...chosen, suggestion])
    // What changes nothing by itself may do so with the next one: a prefix before a renaming.
    if (found < most) continue
    chosen.push(suggestion)
    most = found
  }
  return chosen.filter((one) => count(chosen.filter((other) => other !== one)) < most)
}

/**
 * A prefix before all names takes from those that match as they are: there it is put before the modules that lack it,
 * each by itself.
 */
function withoutLoss(suggestion: Suggestion, source: readonly string[], target: ReadonlySet<string>): Suggestion[] {
  const { flag, value: prefix } = suggestion
  if (flag !== '--add-prefix' || !source.some((name) => target.has(name))) return [suggestion]
  const modules = new Map<string, number>()
  for (const name of source) {
    if (target.has(name) || !target.has(prefix + name)) continue
    const [module = ''] = name.split('.', 1)
    modules.set(module, (modules.get(module) ?? 0) + 1)
  }
  return [...modules].map(([module, tensors]) => ({ flag: '--map', value: `${module}=${prefix}${module}`, tensors }))
}

/** More make no command that somebody would paste. */
const mostCombined = 8

/** As `compileMapping` does it: prefixes, renamings, the map, at last the prefix that is put before. */
function renamingOf(flags: readonly Suggestion[]): (name: string) => string {
  const valuesOf = (wanted: Suggestion['flag']) => flags.flatMap(({ flag, value }) => (flag === wanted ? [value] : []))
  const renames = valuesOf('--rename').flatMap((value) => ruleOf(value) ?? [])
  const maps = valuesOf('--map').map((value) => value.split('=') as [string, string])
  return (name) => {
    let changed = name
    for (const prefix of valuesOf('--strip-prefix'))
      if (changed.startsWith(prefix)) changed = changed.slice(prefix.length)
    for (const { apply } of renames) changed = apply(changed)
    for (const [old, renamed] of maps) {
      for (const one of [name, changed])
        if (one === old || one.startsWith(`${old}.`)) return renamed + one.slice(old.length)
    }
    return valuesOf('--add-prefix').join('') + changed
  }
}
