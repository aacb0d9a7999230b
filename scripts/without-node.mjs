/** A PATH on which everything is but Node, for tests of what needs none. */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const nodes = new Set(['node', 'nodejs', 'npm', 'npx', 'corepack', 'bun'])

/** Fills `folder` with links to the programs of the PATH, and gives it; `first` are folders to look in before. */
export function pathWithoutNode(folder, ...first) {
  mkdirSync(folder, { recursive: true })
  for (const from of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of programsIn(from)) {
      if (nodes.has(name)) continue
      try {
        symlinkSync(join(from, name), join(folder, name))
      } catch (error) {
        // Of two programs of one name the first counts.
        if (error.code !== 'EEXIST') throw error
      }
    }
  }
  return [...first, folder].join(delimiter)
}

function programsIn(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
