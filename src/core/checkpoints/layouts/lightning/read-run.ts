/** Reads the checkpoints of a run together: which are its own, which are copies, which is the best, and their scores. */
import { basename } from 'node:path'
import type { Direction, Meta, MetaValue, Part, Pointer } from '../../../checkpoint.js'
import { addTo } from '../../../grouped.js'
import { withOpener } from '../engine/opener.js'
import { compareText } from '../folders.js'
import type { LayoutIo, Reading, Taken, Unit } from '../spec.js'
import { pathInside, type CheckpointCallback } from './callbacks.js'
import { endsInName, isHpc, isLast, numbersIn } from './file-name.js'
import { aliasesAmong, Namesakes, runPointers } from './pointers.js'
import { isRankFolder } from './rank-folders.js'
import { beginsWithZeros, stateOf, weightsOf, type SavedState } from './saved-state.js'

interface Known extends Taken {
  readonly state: SavedState | null
}

type Saved = Known & { readonly state: SavedState }

export async function readRun(taken: readonly Taken[], io: LayoutIo): Promise<ReadonlyMap<Unit, Reading>> {
  const own = ofThisRun(taken.map((one) => ({ ...one, state: stateOf(one.facts) })))
  const saved = own.filter((one) => one.state !== null) as Saved[]
  const compared = own.some(({ unit }) => isLast(unit.name)) ? saved : await withWeights(io, saved)
  const stateByUnit = new Map(compared.map(({ unit, state }) => [unit, state]))
  const aliases = aliasesAmong(compared)
  const around: Around = {
    sameStep: statesByStep(compared),
    aliases,
    namesakes: new Namesakes(saved.map(({ unit }) => unit.name)),
    pointers: runPointers(saved, aliases),
  }
  const sorted = own
    .map((one) => ({ one, step: one.state === null ? numbersIn(one.unit.name).get('step') : one.state.step }))
    .sort((a, b) => (a.step ?? -1) - (b.step ?? -1) || compareText(a.one.unit.name, b.one.unit.name))
  const readings = new Map<Unit, Reading>()
  for (const { one } of sorted) {
    const { unit, facts } = one
    const state = stateByUnit.get(unit) ?? one.state
    readings.set(unit, state === null ? await nothingSaid(unit, io) : readingOf({ unit, facts, state }, around))
  }
  return readings
}

/** A file that has the name of a checkpoint, and is not Lightning's. */
async function nothingSaid({ name, path, kind, finding }: Unit, io: LayoutIo): Promise<Reading> {
  const reading = { meta: new Map<string, MetaValue>(), counts: numbersIn(name), pointsTo: [] }
  if (kind !== 'file' || finding !== null) return reading
  const begins = (await beginsWithZeros(io, path)) ? 'begins with zeros alone' : 'begins otherwise'
  return { ...reading, findings: [{ grade: 'corrupt', reason: `${begins}, and the others as torch.save writes` }] }
}

/** What Slurm's warning saved makes its folder the run's, whatever folders the callbacks have below. */
function ofThisRun(known: readonly Known[]): readonly Known[] {
  const isRoot = known.some(({ unit, state }) => isHpc(unit.name) && state !== null)
  return known.filter((one) => belongsHere(one) || (isRoot && one.state !== null))
}

/**
 * Whether a file in a folder below is this folder's checkpoint, under a name with a slash, or that folder's own. Its
 * callback knows the folder; where it does not say, the names must. A rank's part is always that of the folder above.
 */
function belongsHere({ unit: { name, folder }, state }: Known): boolean {
  if (isRankFolder(basename(folder.path))) return false
  const slash = name.lastIndexOf('/')
  if (slash === -1 || isRankFolder(name.slice(0, name.indexOf('/')))) return true
  const callbacks = state?.callbacks ?? []
  const inside = callbacks.flatMap(({ own, folder }) => (own === null ? [] : (pathInside(own.path, folder) ?? [])))
  if (inside.length > 0) return inside.includes(name)
  const above = name.slice(0, slash)
  if (callbacks.some(({ folder }) => folder.replaceAll('\\', '/').endsWith(`/${above}`))) return false
  return endsInName(above.split('/').at(-1) ?? '') || /^(?!epoch=|step=)[^=-]+=/.test(name.slice(slash + 1))
}

/** Several callbacks may save one state, each under a name of its own: the weights show whether they did. */
async function withWeights({ storage }: LayoutIo, saved: readonly Saved[]): Promise<readonly Saved[]> {
  const counts = new Map<number | null, number>()
  for (const { state } of saved) counts.set(state.step, (counts.get(state.step) ?? 0) + 1)
  const compared: Saved[] = []
  for (const one of saved) {
    const { unit, state } = one
    const isShared = unit.kind === 'file' && state.step !== null && (counts.get(state.step) ?? 0) > 1
    const ask = () => withOpener(storage, async (io) => weightsOf(await io.look(unit.path), unit.name))
    const weights = isShared ? (state.weights ?? (await ask())) : null
    compared.push({ ...one, state: { ...state, weights } })
  }
  return compared
}

/** What is known of the run beside what each checkpoint says. */
interface Around {
  /** By step. */
  readonly sameStep: ReadonlyMap<number, readonly SavedState[]>
  readonly aliases: ReadonlyMap<string, string>
  readonly namesakes: Namesakes
  readonly pointers: readonly Pointer[]
}

/**
 * A copy or another callback's checkpoint of the same step has the same weights, and so the same scores. One of another
 * training in the folder does not: it has other weights, where these were compared, or another score by one metric.
 */
function scoresOf(state: SavedState, sameStep: readonly SavedState[]): ReadonlyMap<string, number> {
  const scores = new Map(ownScores(state))
  for (const other of sameStep) {
    const found = ownScores(other)
    if (state.weights !== null && other.weights !== null && state.weights !== other.weights) continue
    if (found.some(([monitor, score]) => !Object.is(scores.get(monitor) ?? score, score))) continue
    for (const [monitor, score] of found) scores.set(monitor, score)
  }
  return scores
}

function ownScores({ callbacks }: SavedState): [string, number][] {
  return callbacks.flatMap(({ monitor, own }): [string, number][] => {
    const score = own?.score ?? null
    return monitor === null || score === null ? [] : [[monitor, score]]
  })
}

/** Those that have scores: hundreds of one step may have none. */
function statesByStep(saved: readonly Saved[]): ReadonlyMap<number, readonly SavedState[]> {
  const states = new Map<number, SavedState[]>()
  for (const { state } of saved) {
    if (state.step !== null && ownScores(state).length > 0) addTo(states, state.step, state)
  }
  return states
}

function readingOf({ unit, facts, state }: Saved, around: Around): Reading {
  const { name, folder, kind } = unit
  const directions = new Map(state.callbacks.flatMap(directionOf))
  const sameAs = around.aliases.get(name)
  return {
    meta: metaOf(name, facts, state, around),
    pointsTo: [...bestPointers(state, folder.path, around.namesakes), ...around.pointers],
    ...(directions.size === 0 ? {} : { directions }),
    ...(sameAs === undefined ? {} : { sameAs }),
    ...(kind === 'folder' ? {} : resumingOf(state)),
    ...trainingOf(state),
  }
}

function trainingOf({ weights, callbacks, epochStart }: SavedState): Pick<Reading, 'training'> {
  const kept = new Map(callbacks.flatMap((one) => (one.kept.length === 0 ? [] : [[one.key, new Set(one.kept)]])))
  const marks = {
    ...(weights === null ? {} : { weights }),
    ...(kept.size === 0 ? {} : { kept }),
    ...(epochStart === null ? {} : { epochStart }),
  }
  return Object.keys(marks).length === 0 ? {} : { training: { log: [], settings: new Map(), ...marks } }
}

/**
 * `save_weights_only` leaves these out, and a fit from such a file fails
 * (lightning/pytorch/trainer/connectors/checkpoint_connector.py, `restore_optimizers_and_schedulers`).
 */
function resumingOf({ contents }: SavedState): Pick<Reading, 'resumable' | 'lacks' | 'contents'> {
  const lacks: Part[] = [
    ...(contents.includes('state_dict') ? [] : (['model'] as const)),
    ...(contents.includes('optimizer_states') ? [] : (['optimizer'] as const)),
    ...(contents.includes('lr_schedulers') ? [] : (['scheduler'] as const)),
  ]
  return lacks.length === 0 ? { contents } : { contents, resumable: false, lacks }
}

function directionOf({ monitor, mode }: CheckpointCallback): [string, Direction][] {
  return monitor === null || mode === null ? [] : [[monitor, mode]]
}

/**
 * Without a monitor a callback has its newest for `best_model_path`: that is no best. Of several callbacks the Trainer
 * takes the first one's for `ckpt_path="best"` (`Trainer.checkpoint_callback`).
 */
function bestPointers({ callbacks }: SavedState, run: string, namesakes: Namesakes): Pointer[] {
  const judging = callbacks.filter(({ monitor, bestScore }) => monitor !== null || bestScore !== null)
  const [first] = judging
  const own = new Set(callbacksOf(run, callbacks))
  return judging.flatMap((callback) => {
    if (!own.has(callback)) return []
    const { bestPath, bestScore, folder, monitor } = callback
    if (bestPath === '') return []
    // One in the callback's own folder belongs here, also when it is gone.
    const name = namesakes.find(bestPath) ?? pathInside(bestPath, folder)
    if (name === null) return []
    const judged = {
      ...(monitor === null ? {} : { metric: monitor }),
      ...(bestScore === null || !Number.isFinite(bestScore) ? {} : { value: bestScore }),
    }
    const chosen = callback === first && judging.length > 1 ? { isDefault: true as const } : {}
    return [{ label: 'best_model_path', name, purpose: 'best', ...chosen, ...judged }]
  })
}

/** Each may have a folder of its own: those whose folder is the run's by the most of its last parts. */
function callbacksOf(run: string, callbacks: readonly CheckpointCallback[]): readonly CheckpointCallback[] {
  const shared = callbacks.map(({ folder }) => sharedParts(folder, run))
  return callbacks.filter((_, index) => shared[index] === Math.max(...shared))
}

function sharedParts(folder: string, run: string): number {
  const [a = [], b = []] = [folder, run].map((path) =>
    path
      .split(/[/\\]+/)
      .filter((part) => part !== '')
      .reverse(),
  )
  const different = a.findIndex((part, index) => part !== b[index])
  return different === -1 ? a.length : different
}

/** What `metaOf` tells by itself: what else the facts are was logged. */
const ownFacts = new Set(['step', 'epoch', 'hyper_parameters', '#saved'])

function metaOf(name: string, facts: Meta, state: SavedState, { sameStep }: Around): Meta {
  const meta = new Map<string, MetaValue>()
  if (state.step !== null) meta.set('step', state.step)
  if (state.epoch !== null) meta.set('epoch', state.epoch)
  for (const [key, value] of facts) if (!ownFacts.has(key)) meta.set(key, value)
  for (const [key, score] of scoresOf(state, (state.step === null ? undefined : sameStep.get(state.step)) ?? [])) {
    // A metric that is NaN is scored as the worst there can be.
    if (Number.isFinite(score) || !meta.has(key)) meta.set(key, score)
  }
  for (const [key, value] of numbersIn(name))
    if (!meta.has(key) && key !== 'epoch' && key !== 'step') meta.set(key, value)
  if (state.version !== null) meta.set('pytorch-lightning_version', state.version)
  const parameters = facts.get('hyper_parameters')
  if (parameters !== undefined) meta.set('hyper_parameters', parameters)
  if (state.callbacks.length > 0) meta.set('callbacks', callbacksMeta(state.callbacks))
  return meta
}

/** By the class's name where it is the only one. */
function callbacksMeta(callbacks: readonly CheckpointCallback[]): Meta {
  return new Map(
    callbacks.map(({ key, monitor, mode, bestPath, bestScore, currentScore, lastPath }) => {
      const facts: [string, MetaValue][] = [
        ['monitor', monitor],
        ['mode', mode],
        ['best_model_path', bestPath],
        ['best_model_score', bestScore],
        ['current_score', currentScore],
        ['last_model_path', lastPath],
      ]
      const title = callbacks.length === 1 ? key.replace(/\{.*$/s, '') : key
      return [title, new Map(facts.filter(([, value]) => value !== null && value !== ''))] as const
    }),
  )
}
