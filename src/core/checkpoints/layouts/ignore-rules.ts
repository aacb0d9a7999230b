/** What people want left out of a walk: `.ckptignore` files, and patterns of the command line, as gitignore(5) reads them. */
import ignore, { type Ignore } from 'ignore'
import { prefixOf } from './folders.js'
import type { DirectoryEntry } from '../../storage/storage.js'
import type { Folder } from './layout.js'

export const ignoreFile = '.ckptignore'

interface Level {
  /** The folder that the patterns are relative to, with a separator at its end. */
  readonly base: string
  readonly patterns: Ignore
}

export class IgnoreRules {
  private constructor(private readonly levels: readonly Level[]) {}

  /** Those of a command line, relative to the root of the walk. */
  static at(root: string, patterns: readonly string[]): IgnoreRules {
    return new IgnoreRules([]).with(root, patterns.join('\n'))
  }

  /** With the rules of a folder below: these decide before those above. */
  with(folder: string, text: string): IgnoreRules {
    if (text.trim() === '') return this
    const patterns = ignore({ allowRelativePaths: true }).add(text)
    return new IgnoreRules([{ base: prefixOf(folder), patterns }, ...this.levels])
  }

  /** The entries of a folder that are not left out. */
  without({ path, entries }: Folder): readonly DirectoryEntry[] {
    if (this.levels.length === 0) return entries
    const prefix = prefixOf(path)
    return entries.filter(({ name, kind }) => !this.leavesOut(prefix + name, kind === 'directory'))
  }

  private leavesOut(path: string, isFolder: boolean): boolean {
    for (const { base, patterns } of this.levels) {
      const { ignored, unignored } = patterns.test(path.slice(base.length) + (isFolder ? '/' : ''))
      if (ignored || unignored) return ignored
    }
    return false
  }
}
