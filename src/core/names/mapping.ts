/** From the names that a file has to the names that are looked for in another one. */
import { CkptError } from '../errors.js'
import { nameFilter } from '../tensors/index.js'
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
  /** The entries of `map` by which no name that was renamed so far was meant. */
  readonly unused: () => string[]
}

/** What the map does not change: prefixes taken away, renames, the prefix added. Throws CkptError `usage`. */
export async function compileMapping(rules: NameRules): Promise<NameMapping> {
  const isWanted = await compileFilter(rules.include ?? [], rules.exclude ?? [])
  const renames = await Promise.all((rules.renames ?? []).map(parseSubstitution))
  const map = rules.map ?? new Map<string, string>()
  const prefixes = rules.stripPrefixes ?? []
  const added = rules.addPrefix ?? ''
  const used = new Set<string>()
  const lookUp = (name: string): string | undefined => {
    const entry = entryFor(map, name)
    if (entry === undefined) return undefined
    used.add(entry)
    return (map.get(entry) ?? '') + name.slice(entry.length)
  }
  const rename = (name: string): string => {
    const changed = renames.reduce((text, change) => change(text), prefixes.reduce(stripPrefix, name))
    return lookUp(name) ?? lookUp(changed) ?? added + changed
  }
  return { isWanted, rename, unused: () => [...map.keys()].filter((old) => !used.has(old)) }
}

/** True for names that any of `include` matches (all, when there are none) and none of `exclude`. */
export async function compileFilter(
  include: readonly string[],
  exclude: readonly string[],
): Promise<(name: string) => boolean> {
  const isWanted = await nameFilter(include)
  if (exclude.length === 0) return isWanted
  const isUnwanted = await nameFilter(exclude)
  return (name) => isWanted(name) && !isUnwanted(name)
}

/** The name itself, else the longest part of it that ends before a dot. */
function entryFor(map: ReadonlyMap<string, string>, name: string): string | undefined {
  if (map.size === 0) return undefined
  if (map.has(name)) return name
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const part = name.slice(0, dot)
    if (map.has(part)) return part
  }
  return undefined
}

/** `module` takes the dot after it along, as `module.` does. */
function stripPrefix(name: string, prefix: string): string {
  if (!name.startsWith(prefix)) return name
  const rest = name.slice(prefix.length)
  return rest.startsWith('.') && !prefix.endsWith('.') ? rest.slice(1) : rest
}

/** `OLD=NEW`; a name with `=` in it needs a map file. Throws CkptError `usage`. */
export function parseMapEntry(text: string): readonly [old: string, renamed: string] {
  const equals = text.indexOf('=')
  if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)]
  throw new CkptError('usage', `--map ${text}: it is written OLD=NEW`, {
    hint: 'names with = in them, and many of them, go into --map-file',
  })
}

/** A map file: a JSON object of texts, or a line `OLD=NEW` for each, empty lines and lines with # left out. */
export function parseMapFile(path: string, text: string): Map<string, string> {
  if (text.trimStart().startsWith('{')) return parseJsonMap(path, text)
  const map = new Map<string, string>()
  text.split(/\r?\n/).forEach((line, index) => {
    const entry = line.trim()
    if (entry === '' || entry.startsWith('#')) return
    const [, old, renamed] = /^([^=]*[^=\s])\s*=\s*(\S.*)$/.exec(entry) ?? []
    if (old === undefined || renamed === undefined) {
      throw new CkptError('usage', `${path}, line ${index + 1}: it is written OLD=NEW, and this is: ${entry}`)
    }
    map.set(old, renamed)
  })
  return map
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
    throw new CkptError('usage', `${path}: it begins as JSON and is none: ${reason}`, { cause: error })
  }
}
