/** Checkpoints that can be asked for what their runs were started with. */
import { addTo } from '../../grouped.js'
import type { Checkpoint, HyperParameters } from '../../checkpoint.js'
import { builtInNames, scopeOf, settingPrefix } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/**
 * The same, in order, where `names` may be hyper-parameters: those that are neither known beside the meta nor keys of
 * it, in that run. `checkpoints` are all of one or several runs.
 */
export async function withSettingsFor(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  names: Iterable<string>,
): Promise<readonly Checkpoint[]> {
  const asked = [...names].filter((name) => !builtInNames.includes(name))
  if (asked.length === 0) return checkpoints
  const runs = new Map<string, Checkpoint[]>()
  for (const one of checkpoints) if (one.settings === undefined) addTo(runs, one.run, one)
  const settings = new Map<string, Checkpoint['settings']>()
  for (const [run, own] of runs) {
    if (asked.every((name) => isKey(name, own))) continue
    const { readHyperParameters } = await import('../../checkpoints/hyperparameters/read.js')
    settings.set(run, settingsOf((await readHyperParameters(storage, { path: run, checkpoints: own })).all, own))
  }
  return checkpoints.map((one) => withSettings(one, settings.get(one.run)))
}

/** The same of one run, whose hyper-parameters are known. */
export function withKnownSettings(checkpoints: readonly Checkpoint[], all: HyperParameters): readonly Checkpoint[] {
  const settings = settingsOf(all, checkpoints)
  return checkpoints.map((one) => withSettings(one, settings))
}

function withSettings(checkpoint: Checkpoint, settings: Checkpoint['settings']): Checkpoint {
  return settings === undefined ? checkpoint : { ...checkpoint, settings }
}

function isKey(name: string, checkpoints: readonly Checkpoint[]): boolean {
  if (name.startsWith(settingPrefix)) return false
  return checkpoints.some((one) => scopeOf(one, 0).get(name) !== undefined)
}

function settingsOf(all: HyperParameters, checkpoints: readonly Checkpoint[]): NonNullable<Checkpoint['settings']> {
  const shadowed = new Set<string>()
  for (const { meta } of checkpoints) for (const key of meta.keys()) shadowed.add(key)
  return { all, shadowed }
}
