/** Hyper-parameters as people and programs get them. */
import { relative } from 'node:path'
import type { HyperParameters, MetaValue } from '../core/checkpoint.js'
import { formatMeta } from './checkpoints.js'
import { printable } from './printable.js'

/** By name, as `--json` gives them. */
export function valuesOf(settings: HyperParameters): Map<string, MetaValue> {
  return new Map([...settings].map(([name, { value }]) => [name, value]))
}

/** By name, the file that tells each. */
export function sourcesOf(settings: HyperParameters): Map<string, string> {
  return new Map([...settings].map(([name, { source }]) => [name, source]))
}

/**
 * Lines of name and value below the file that tells them, or the folder of a file for each, relative to the run. Of more
 * than `most` of one file the rest is counted.
 */
export function settingLines(
  settings: HyperParameters,
  run: string,
  most: number,
): { source: string; rows: [string, string][] }[] {
  const bySource = new Map<string, [string, string][]>()
  for (const [name, { value, source: file }] of settings) {
    // MLflow's: a file for each, which has its name.
    const source = file.endsWith(`/params/${name}`) ? file.slice(0, -name.length) : file
    const rows = bySource.get(source) ?? []
    bySource.set(source, rows)
    rows.push([printable(name), formatMeta(value)])
  }
  return [...bySource].map(([source, rows]) => {
    const more = rows.length - most
    const shown = more > 0 ? [...rows.slice(0, most), ['…', `and ${more} more: --all`] as [string, string]] : rows
    return { source: printable(relative(run, source) || source), rows: shown }
  })
}
