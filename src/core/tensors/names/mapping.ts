/** From the names that a file has to the names that are looked for in another one. */
import { CkptError } from '../../errors.js'
import { nameFilter } from './name-filter.js'
import { parseSubstitution } from './substitution.js'

export interface NameRules {
  /** Globs; none means all. */
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /** Old to new: a name, or what stands before a dot in many; as it stands, or as prefixes and renames leave it. */
  readonly map?: ReadonlyMap<string, string>
  /** Each is taken away once, in this order, where a name begins with it. */
  readonly stripPrefixes?: readonly string[]
  /** sed's `s/regex/replacement/`, in this order. */
  readonly renames?: readonly string[]
  readonly addPrefix?: string
}

export interface NameMapping {
  /** False for a name that is left out. */
  readonly isWanted: (name: string) => boolean
  readonly rename: (name: string) => string
  /** The rules that meant none of the names asked for so far: slips, most likely. */
  readonly idle: () => readonly NameRule[]
}

/** One rule as it is typed. */
export interface NameRule {
  readonly flag: '--include' | '--exclude' | '--map' | '--strip-prefix' | '--rename'
  /** Of `--map` the old name. */
  readonly value: string
}

/** What the map does not change: prefixes taken away, renames, the prefix added. Throws CkptError `usage`. */
export async function compileMapping(rules: NameRules): Promise<NameMapping> {
  const includes = await compilePatterns('--include', rules.include ?? [])
  const excludes = await compilePatterns('--exclude', rules.exclude ?? [])
  const entries = [...(rules.map ?? [])].map(([old, renamed]) => ({ flag: '--map' as const, value: old, renamed }))
  const byOld = new Map(entries.map((entry) => [entry.value, entry]))
  const changes = await compileChanges(rules)
  const used = new Set<NameRule>()

  const matchesAny = (patterns: readonly Pattern[], name: string): boolean => {
    const found = patterns.filter(({ matches }) => matches(name))
    for (const pattern of found) used.add(pattern)
    return found.length > 0
  }
  const lookUp = (name: string): string | undefined => {
    const entry = entryFor(byOld, name)
    if (entry === undefined) return undefined
    used.add(entry)
    return entry.renamed + name.slice(entry.value.length)
  }
  const apply = (name: string, change: Change): string => {
    const changed = change.apply(name)
    if (changed !== name) used.add(change)
    return changed
  }
  return {
    isWanted: (name) => {
      // Both are asked whatever the other says, so that a pattern counts as used by all names that it matches.
      const isExcluded = matchesAny(excludes, name)
      return (matchesAny(includes, name) || includes.length === 0) && !isExcluded
    },
    rename: (name) => {
      const changed = changes.reduce(apply, name)
      return lookUp(name) ?? lookUp(changed) ?? (rules.addPrefix ?? '') + changed
    },
    idle: () =>
      [...includes, ...excludes, ...entries, ...changes]
        .filter((rule) => !used.has(rule))
        .map(({ flag, value }) => ({ flag, value })),
  }
}

interface Pattern extends NameRule {
  readonly matches: (name: string) => boolean
}

async function compilePatterns(flag: '--include' | '--exclude', patterns: readonly string[]): Promise<Pattern[]> {
  return Promise.all(patterns.map(async (value) => ({ flag, value, matches: await nameFilter([value]) })))
}

interface Change extends NameRule {
  readonly apply: (name: string) => string
}

async function compileChanges({ stripPrefixes = [], renames = [] }: NameRules): Promise<Change[]> {
  const strips = stripPrefixes.map((value): Change => ({
    flag: '--strip-prefix',
    value,
    apply: (name) => stripPrefix(name, value),
  }))
  const substitutions = renames.map(async (value): Promise<Change> => ({
    flag: '--rename',
    value,
    apply: await parseSubstitution(value),
  }))
  return [...strips, ...(await Promise.all(substitutions))]
}

/** The name itself, else the longest part of it that ends before a dot. */
function entryFor<Entry>(map: ReadonlyMap<string, Entry>, name: string): Entry | undefined {
  if (map.size === 0) return undefined
  let entry = map.get(name)
  for (let dot = name.lastIndexOf('.'); entry === undefined && dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    entry = map.get(name.slice(0, dot))
  }
  return entry
}

/** `module` takes the dot after it along, as `module.` does. */
function stripPrefix(name: string, prefix: string): string {
  if (!name.startsWith(prefix)) return name
  const rest = name.slice(prefix.length)
  return rest.startsWith('.') && !prefix.endsWith('.') ? rest.slice(1) : rest
}

/** Each is `OLD=NEW`; a name with `=` in it needs a map file. Throws CkptError `usage`. */
export function parseMapEntries(texts: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const text of texts) {
    const equals = text.indexOf('=')
    if (equals <= 0 || equals === text.length - 1) {
      throw new CkptError('usage', `--map ${text}: it is written OLD=NEW`, {
        hint: 'names with = in them, and many of them, go into --map-file',
      })
    }
    const old = text.slice(0, equals)
    const renamed = text.slice(equals + 1)
    const other = map.get(old)
    if (other !== undefined && other !== renamed) {
      throw new CkptError('usage', `--map ${text}: ${old} leads to ${other} already`)
    }
    map.set(old, renamed)
  }
  return map
}

/**
 * A map file: a JSON object of texts, or a line `OLD=NEW` for each. Empty lines are left out, and what follows a `#` at
 * the beginning of a line or behind a space. Throws CkptError `usage` with the line.
 */
export function parseMapFile(path: string, text: string): Map<string, string> {
  // As some editors write it; TextDecoder takes it away, and others may not have.
  const content = text.replace(/^\ufeff/, '')
  return content.trimStart().startsWith('{') ? parseJsonMap(path, content) : parseLines(path, content)
}

function parseLines(path: string, text: string): Map<string, string> {
  const found = new Map<string, { readonly renamed: string; readonly line: number }>()
  text.split(/\r?\n/).forEach((content, index) => {
    const line = index + 1
    const entry = content.replace(/(^|\s)#.*$/, '').trim()
    if (entry === '') return
    const [, old, renamed] = /^([^=]*[^=\s])\s*=\s*(\S.*)$/.exec(entry) ?? []
    if (old === undefined || renamed === undefined) {
      throw new CkptError('usage', `${path}, line ${line}: it is written OLD=NEW, and this is: ${entry}`)
    }
    const other = found.get(old)
    if (other !== undefined && other.renamed !== renamed) {
      const both = `${old} leads to ${renamed}, and in line ${other.line} to ${other.renamed}`
      throw new CkptError('usage', `${path}, line ${line}: ${both}`)
    }
    found.set(old, { renamed, line })
  })
  return new Map([...found].map(([old, { renamed }]) => [old, renamed]))
}

function parseJsonMap(path: string, text: string): Map<string, string> {
  const parsed = parseJsonText(path, text)
  const entries: [string, unknown][] = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []
  return new Map(
    entries.map(([old, renamed]) => {
      if (typeof renamed === 'string' && renamed !== '' && old !== '') return [old, renamed]
      throw new CkptError('usage', `${path}: ${JSON.stringify(old)} leads to no name`)
    }),
  )
}

function parseJsonText(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    // The engine gives a position, and none where the text ends too early.
    const position = Number(/position (\d+)/.exec(reason)?.[1] ?? text.trimEnd().length)
    const line = text.slice(0, position).split('\n').length
    throw new CkptError('usage', `${path}, line ${line}: it begins as JSON, but is not valid: ${reason}`, {
      cause: error,
    })
  }
}
