/** Warnings of several runs, for people: what holds of all of them is shown once, the rest with its runs. */
import { addTo } from '../core/grouped.js'
import { printable } from './printable.js'
import { plural } from './units.js'

export interface WarnedRun {
  readonly path: string
  readonly warnings: readonly string[]
}

/** Runs that are named, at most, where several have the same warning. */
const mostNamed = 3

export function warningsOfRuns(runs: readonly WarnedRun[]): string[] {
  const pathsOf = new Map<string, string[]>()
  for (const { path, warnings } of runs) for (const text of new Set(warnings)) addTo(pathsOf, text, path)
  const warnings = [...pathsOf].map(([text, paths]) => ({ text, paths, isOfAll: paths.length === runs.length }))
  const ofAll = warnings.filter(({ isOfAll }) => isOfAll).map(({ text }) => text)
  const own = warnings.filter(({ isOfAll }) => !isOfAll).map(({ text, paths }) => `${listPaths(paths)}: ${text}`)
  return [...ofAll, ...own].map((text) => printable(text))
}

function listPaths(paths: readonly string[]): string {
  const more = paths.length - mostNamed
  return `${paths.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${plural(more, 'more run')}` : ''}`
}
