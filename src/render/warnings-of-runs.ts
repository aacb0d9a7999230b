/** Warnings of several runs, for people: what holds of all of them is told once, and else of which run. */
import { printable } from './printable.js'

export interface WarnedRun {
  readonly path: string
  readonly warnings: readonly string[]
}

export function warningsOfRuns(runs: readonly WarnedRun[]): string[] {
  const [first, ...others] = runs
  const ofAll = new Set(first?.warnings.filter((text) => others.every(({ warnings }) => warnings.includes(text))))
  const own = runs.flatMap(({ path, warnings }) =>
    [...new Set(warnings)].filter((text) => !ofAll.has(text)).map((text) => `${path}: ${text}`),
  )
  return [...ofAll, ...own].map((text) => printable(text))
}
