/** Several names for one state: links, hard links, and copies under the names that a framework resumes from. */
import type { Meta } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { compareText } from '../folders.js'
import type { Unit } from './unit-paths.js'

export interface Known {
  readonly unit: Unit
  readonly meta: Meta
  /** Equal for equal contents; null where that is unknown. */
  readonly print: string | null
}

/** By name, the name of the unit that is the same state. All of them are of one layout. */
export async function findCopies(storage: ReadStorage, known: readonly Known[]): Promise<ReadonlyMap<string, string>> {
  const same = new Map<string, string>()
  const rule = known[0]?.unit.spec.copies
  if (rule !== undefined && known.some(({ unit }) => rule.names.test(unit.name))) {
    const originals = new Map<string, string>()
    const tokens = await tokensOf(storage, known)
    const isCopy = (name: string): boolean => rule.names.test(name)
    const sorted = known.toSorted(
      ({ unit: a }, { unit: b }) => Number(isCopy(a.name)) - Number(isCopy(b.name)) || shortestFirst(a.name, b.name),
    )
    for (const one of sorted) {
      const { name, target } = one.unit
      if (target !== null) continue
      const own = tokens.get(one) ?? []
      const original = own.map((token) => originals.get(token)).find((found) => found !== undefined)
      if (original !== undefined && isCopy(name)) same.set(name, original)
      else for (const token of own) if (!originals.has(token)) originals.set(token, name)
    }
  }
  const links = known.filter(({ unit }) => unit.target !== null)
  if (links.length === 0) return same
  const byPath = new Map(known.map(({ unit }) => [unit.path, unit.name]))
  for (const { unit } of links) {
    const original = unit.target === null ? undefined : byPath.get(unit.target)
    if (original !== undefined) same.set(unit.name, same.get(original) ?? original)
  }
  return same
}

function shortestFirst(a: string, b: string): number {
  return a.length - b.length || compareText(a, b)
}

/** Texts of which one is equal for two names of one state. */
async function tokensOf(storage: ReadStorage, known: readonly Known[]): Promise<ReadonlyMap<Known, string[]>> {
  const by = known[0]?.unit.spec.copies?.by ?? []
  const stats = by.includes('file') ? await storage.stat(known.map(({ unit }) => unit.path)) : []
  return new Map(
    known.map((one, index) => {
      const tokens: string[] = []
      const stat = stats[index]
      if (stat?.ok === true && stat.value.links > 1) tokens.push(`file ${stat.value.device}:${stat.value.inode}`)
      if (by.includes('content') && one.print !== null) tokens.push(`content ${one.print}`)
      for (const rule of by) {
        if (typeof rule === 'string') continue
        const values = rule.facts.map((key) => one.meta.get(key))
        if (values.every((value) => value !== undefined && typeof value !== 'object'))
          tokens.push(`facts ${values.map(String).join('\n')}`)
      }
      return [one, tokens] as const
    }),
  )
}
