/** What people want left out of a walk: `.ckptignore` files, and patterns of the command line, as gitignore(5) reads them. */
import { dirname } from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { prefixOf } from './folders.js'
import type { DirectoryEntry } from '../../storage/storage.js'
import type { Folder } from './layout.js'

export const ignoreFile = '.ckptignore'

/** Patterns of one file, each of which is held against every folder below it. */
const mostPatterns = 1000
/** Characters: each pattern becomes a regular expression several times as long. */
const longestPattern = 1000
/**
 * `**` between two names, in one pattern: on a path of 64 folders that almost fits each is tried at every folder for
 * every place of those before it.
 */
const mostAnyFolders = 2
/** Patterns of one file that have as many. */
const mostLoosePatterns = 20

/** Why such a file is not read; undefined for one that is. */
export function ignoreFault(text: string): string | undefined {
  const patterns = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (patterns.length > mostPatterns) {
    return `has ${patterns.length} patterns; at most ${mostPatterns} are read`
  }
  const long = patterns.find(({ length }) => length > longestPattern)
  if (long !== undefined) return `has a pattern of ${long.length} characters; at most ${longestPattern} are read`
  const counts = patterns.map(anyFoldersIn)
  const most = counts.reduce((a, b) => Math.max(a, b), 0)
  if (most > mostAnyFolders) {
    return `has a pattern with ${most} times ** between names; at most ${mostAnyFolders} are read`
  }
  const loose = counts.filter((count) => count === mostAnyFolders).length
  if (loose <= mostLoosePatterns) return undefined
  return `has ${loose} patterns with ** between names twice; at most ${mostLoosePatterns} are read`
}

/** One that stands first or last is not tried again and again. */
function anyFoldersIn(pattern: string): number {
  return pattern
    .split('/')
    .slice(1, -1)
    .filter((part) => part === '**').length
}

interface Level {
  /** The folder that the patterns are relative to, with a separator at its end. */
  readonly base: string
  readonly patterns: Ignore
  /** As it was written. */
  readonly text: string
}

export class IgnoreRules {
  private constructor(
    private readonly typed: readonly Level[],
    private readonly levels: readonly Level[],
  ) {}

  /** Those of a command line, relative to the root of the walk: as in git they decide before all files. */
  static at(root: string, patterns: readonly string[]): IgnoreRules {
    return new IgnoreRules(levelsOf(root, patterns.join('\n')), [])
  }

  /** Equal for rules that say the same; empty for none. */
  get text(): string {
    const levels = [...this.typed, ...this.levels]
    return levels.length === 0 ? '' : JSON.stringify(levels.map(({ base, text }) => [base, text]))
  }

  /** With the rules of a folder below: these decide before those above. */
  with(folder: string, text: string): IgnoreRules {
    const [added] = levelsOf(folder, text)
    return added === undefined ? this : new IgnoreRules(this.typed, [added, ...this.levels])
  }

  /** The entries of a folder that are not left out. */
  without({ path, entries }: Folder): readonly DirectoryEntry[] {
    if (this.typed.length + this.levels.length === 0) return entries
    const prefix = prefixOf(path)
    return entries.filter(({ name, kind }) => !this.leavesOut(prefix + name, kind === 'directory'))
  }

  private leavesOut(path: string, isFolder: boolean): boolean {
    for (const { base, patterns } of [...this.typed, ...this.levels]) {
      const inside = path.slice(base.length)
      const { ignored, unignored } = patterns.test(inside + (isFolder ? '/' : ''))
      if (unignored) return false
      // Where the folder that it lies in is looked at all the same, a nearer file has taken that back.
      if (ignored && !isLeftOut(patterns, dirname(inside))) return true
    }
    return false
  }
}

/** None where nothing is said. */
function levelsOf(folder: string, text: string): Level[] {
  if (text.trim() === '') return []
  return [{ base: prefixOf(folder), patterns: ignore({ allowRelativePaths: true, ignorecase: false }).add(text), text }]
}

function isLeftOut(patterns: Ignore, folder: string): boolean {
  return folder !== '.' && patterns.ignores(`${folder}/`)
}
