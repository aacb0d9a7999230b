/** What is asked of the names in a run's folder, which thousands of units ask alike. */
import type { DirectoryEntry } from '../../../storage/storage.js'
import type { Folder } from '../layout.js'

/** A folder's name ends in `/` for a pattern; of a very name, one that ends so is a folder's, and any other anything's. */
export function isNamed(entry: DirectoryEntry, name: string | RegExp): boolean {
  if (typeof name === 'string') {
    return name.endsWith('/') ? entry.kind === 'directory' && entry.name === name.slice(0, -1) : entry.name === name
  }
  return name.test(entry.kind === 'directory' ? `${entry.name}/` : entry.name)
}

/** True where something has such a name in the folder. */
export const hasBeside = perFolder((folder, name: string | RegExp) =>
  folder.entries.some((entry) => isNamed(entry, name)),
)

export const countNamed = perFolder(
  (folder, name: RegExp) => folder.entries.filter((entry) => isNamed(entry, name)).length,
)

/** True where another entry has the name with such an end behind it. */
export function hasBesideWithEnd(folder: Folder, name: string, end: RegExp): boolean {
  return namesBefore(folder, end).has(name)
}

const namesBefore = perFolder((folder, end: RegExp): ReadonlySet<string> => {
  const ends = folder.entries.map(({ name }) => ({ name, at: name.search(end) }))
  return new Set(ends.filter(({ at }) => at > 0).map(({ name, at }) => name.slice(0, at)))
})

/** The same function, which answers each question once a folder. */
function perFolder<Q, A>(answer: (folder: Folder, question: Q) => A): (folder: Folder, question: Q) => A {
  const asked = new WeakMap<Folder, Map<Q, A>>()
  return (folder, question) => {
    const known = asked.get(folder) ?? new Map<Q, A>()
    asked.set(folder, known)
    const found = known.get(question)
    if (found !== undefined) return found
    const made = answer(folder, question)
    known.set(question, made)
    return made
  }
}
