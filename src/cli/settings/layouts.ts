/** The layouts that the files of settings hold. */
import { knownLayouts, useOwnLayouts } from '../../core/checkpoints/layouts/index.js'
import { parseLayouts, parseMarker } from '../../core/checkpoints/layouts/own/parse-layouts.js'
import type { LayoutSpec } from '../../core/checkpoints/layouts/spec.js'
import type { ParsedConfig } from './settings-file.js'

/** Those of nearer files are asked first; a name that a nearer file has counts once. Throws ConfigError. */
function layoutsIn(files: readonly ParsedConfig[]): LayoutSpec[] {
  useOwnLayouts([])
  const builtIn = knownLayouts().map(({ id }) => id)
  const found = new Map<string, LayoutSpec>()
  for (const { yaml, layouts } of files) {
    for (const spec of parseLayouts(yaml, layouts, builtIn)) if (!found.has(spec.id)) found.set(spec.id, spec)
  }
  return [...found.values()]
}

/** Of the nearest file that has one. Throws ConfigError. */
function markerIn(files: readonly ParsedConfig[]): string | null {
  const [nearest = null] = files.flatMap(({ yaml, complete }) =>
    complete === null ? [] : [parseMarker(yaml, complete)],
  )
  return nearest
}

/** From now on they are known to all that looks for checkpoints. Throws ConfigError. */
export function useLayoutsOf(files: readonly ParsedConfig[]): void {
  useOwnLayouts(layoutsIn(files), markerIn(files))
}
