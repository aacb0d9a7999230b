/**
 * What ModelCheckpoint keeps of itself in each checkpoint (lightning/pytorch/callbacks/model_checkpoint.py,
 * `state_dict` and `state_key`). It is as it was when that checkpoint was saved: paths in it may be gone since.
 */
import { isMeta, type Direction, type Meta, type MetaValue } from '../../../checkpoint.js'
import { globalName, textOf, type PickleNode } from '../../../formats/pickle/index.js'
import type { TorchObject } from '../../../formats/torch/object.js'
import { entriesOf, valueAt } from '../engine/pickle-paths.js'

export interface CheckpointCallback {
  /** `ModelCheckpoint{'monitor': 'val_loss', 'mode': 'min', …}`; before 1.5 the class alone. */
  readonly key: string
  readonly monitor: string | null
  /** Of the metric; null where the key does not say (before 1.5). */
  readonly mode: Direction | null
  /** Paths as the job saw them; empty for none. */
  readonly bestPath: string
  readonly lastPath: string
  readonly folder: string
  readonly bestScore: number | null
  /** Of the last checkpoint that was among the best: perhaps not of this one. */
  readonly currentScore: number | null
  /** Among the best there is this checkpoint itself: its path as the job saw it, and its score. */
  readonly own: { readonly path: string; readonly score: number | null } | null
  /** What it kept then, this checkpoint among it: names inside of its folder. Empty where that is not known. */
  readonly kept: readonly string[]
}

/** Names of one callback that a scan remembers: each checkpoint has them all. */
const mostKept = 100

/** `name` is the file's, relative to its run. Reads a few numbers of the file. */
export async function readCallbacks(
  object: TorchObject,
  node: PickleNode | undefined,
  name: string,
): Promise<CheckpointCallback[]> {
  const found: CheckpointCallback[] = []
  for (const [key, state] of entriesOf(node)) {
    if (valueAt(state, 'best_model_path') === undefined) continue
    found.push(await readCallback(object, textOf(key) ?? globalName(key) ?? '?', state, name))
  }
  return found
}

async function readCallback(
  object: TorchObject,
  key: string,
  state: PickleNode,
  name: string,
): Promise<CheckpointCallback> {
  const pathAt = (field: string) => textOf(valueAt(state, field)) ?? ''
  const scoreAt = async (field: string) => (await object.numberOf(valueAt(state, field))) ?? null
  const best = entriesOf(valueAt(state, 'best_k_models'))
  const own = best.find(([path]) => isPathOf(textOf(path), name))
  const folder = pathAt('dirpath')
  const kept = best.flatMap(([path]) => pathInside(textOf(path) ?? '', folder) ?? [])
  return {
    key,
    monitor: textOf(valueAt(state, 'monitor')) ?? null,
    mode: modeIn(key),
    bestPath: pathAt('best_model_path'),
    lastPath: pathAt('last_model_path'),
    folder,
    bestScore: await scoreAt('best_model_score'),
    currentScore: await scoreAt('current_score'),
    own: (own && { path: textOf(own[0]) ?? '', score: (await object.numberOf(own[1])) ?? null }) ?? null,
    kept: own === undefined || kept.length < best.length || kept.length > mostKept ? [] : kept,
  }
}

function modeIn(key: string): Direction | null {
  const mode = /'mode': '(min|max)'/.exec(key)?.[1]
  return mode === 'min' || mode === 'max' ? mode : null
}

/** True when the last parts of a path are the name; paths of Windows have other separators. */
export function isPathOf(path: string | undefined, name: string): boolean {
  const tidy = path?.replaceAll('\\', '/')
  return tidy === name || tidy?.endsWith(`/${name}`) === true
}

/** What a callback's path is relative to its folder; null where it lies elsewhere, or the folder is not known. */
export function pathInside(path: string, folder: string): string | null {
  const [tidy, start] = [path, folder].map((text) => text.replaceAll('\\', '/').replace(/\/+$/, ''))
  if (tidy === undefined || start === undefined || start === '') return null
  return tidy.startsWith(`${start}/`) ? tidy.slice(start.length + 1) : null
}

/** As plain data. */
export function callbackFact({ own, kept, ...rest }: CheckpointCallback): Meta {
  return new Map<string, MetaValue>([
    ...Object.entries(rest),
    ['own', own === null ? null : [own.path, own.score]],
    ['kept', [...kept]],
  ])
}

/** Null for what `callbackFact` never gives. */
export function callbackIn(fact: MetaValue): CheckpointCallback | null {
  if (!isMeta(fact)) return null
  const own = ownIn(fact.get('own'))
  const [key, bestPath] = [fact.get('key'), fact.get('bestPath')]
  const [lastPath, folder] = [fact.get('lastPath'), fact.get('folder')]
  const [monitor, mode] = [fact.get('monitor'), fact.get('mode')]
  const [bestScore, currentScore] = [fact.get('bestScore'), fact.get('currentScore')]
  if (typeof key !== 'string' || typeof bestPath !== 'string') return null
  if (typeof lastPath !== 'string' || typeof folder !== 'string') return null
  if (!isTextOrNull(monitor) || (mode !== null && mode !== 'min' && mode !== 'max')) return null
  if (!isNumberOrNull(bestScore) || !isNumberOrNull(currentScore) || own === undefined) return null
  const kept = textsIn(fact.get('kept'))
  if (kept === null) return null
  return { key, monitor, mode, bestPath, lastPath, folder, bestScore, currentScore, own, kept }
}

/** Undefined for what it never is. */
function ownIn(fact: MetaValue | undefined): CheckpointCallback['own'] | undefined {
  if (fact === null) return null
  if (!Array.isArray(fact)) return undefined
  const [path, score] = fact as readonly (MetaValue | undefined)[]
  return typeof path === 'string' && isNumberOrNull(score) ? { path, score } : undefined
}

/** Null for anything but a list of texts. */
export function textsIn(fact: MetaValue | undefined): readonly string[] | null {
  if (!Array.isArray(fact)) return null
  const texts = fact as readonly MetaValue[]
  return texts.every((one) => typeof one === 'string') ? texts : null
}

export function isNumberOrNull(value: MetaValue | undefined): value is number | null {
  return value === null || typeof value === 'number'
}

export function isTextOrNull(value: MetaValue | undefined): value is string | null {
  return value === null || typeof value === 'string'
}
