/** A mean from what someone typed: a run with a query, or files and checkpoints; written to a file, or saved in a run. */
import { resolve } from 'node:path'
import {
  average,
  planAverage,
  type AverageOptions,
  type AverageOutput,
  type AveragePlan,
  type AverageWork,
} from '../../tensors/average/index.js'
import type { Checkpoint, Run } from '../../checkpoint.js'
import { ownMarker } from '../../checkpoints/layouts/index.js'
import { haveSameValues } from '../../tensors/compare/index.js'
import { CkptError } from '../../errors.js'
import type { PyValue } from '../../formats/pyyaml/index.js'
import { formatFor, type OutputFormat, type WrittenOutput } from '../../tensors/write/index.js'
import {
  saveCheckpoint,
  toPyMeta,
  toPyValues,
  type NewCheckpoint,
  type Saved,
  type SaveOptions,
} from '../../changes/saving/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { openAll, readingNamed, weightsOf, type TensorFile } from '../../tensors/read/index.js'
import {
  findFile,
  findFiles,
  type FileContext,
  type FileRequest,
  type FoundParamFile,
  isFile,
  warningsOf,
} from './find-file.js'
import { previewCheckpoint } from '../opening/save.js'

export interface AverageRequest extends FileRequest {
  /** One run, or files and checkpoints in the order of their sum. */
  readonly what: readonly string[]
  /** Of a run, the first N as the query ranks them; null for files and checkpoints. */
  readonly count: number | null
  readonly options: AverageOptions
}

export interface PreparedAverage {
  readonly plan: AveragePlan
  readonly found: readonly FoundParamFile[]
  /** For people. */
  readonly warnings: readonly string[]
  /** Closes the plan's files. */
  readonly close: () => Promise<void>
}

/**
 * Finds and opens what is averaged, and holds it against one another; nothing is written. Throws CkptError as
 * `findFile`, `openTensors` and `planAverage` do.
 */
export async function prepareAverage(
  storage: ReadStorage,
  request: AverageRequest,
  context: FileContext,
): Promise<PreparedAverage> {
  const { count } = request
  const { found, files, copies } = await openDistinct(storage, request, context)
  const close = async () => {
    for (const file of files) await file.close()
  }
  const newest = files[await newestOf(storage, found)]
  if (newest === undefined) throw new CkptError('usage', 'there is nothing to average')
  try {
    const plan = planAverage(files, newest, request.options)
    const few =
      count !== null && found.length < count
        ? [`there ${found.length === 1 ? 'is' : 'are'} only ${found.length}, not ${count}`]
        : []
    return { plan, found, warnings: [...few, ...copies, ...warningsOf(found, files)], close }
  } catch (error) {
    await close()
    throw error
  }
}

interface Opened {
  readonly found: readonly FoundParamFile[]
  readonly files: readonly TensorFile[]
  /** For people: checkpoints that hold the weights of another one. */
  readonly copies: readonly string[]
}

/** Of a run as many as are asked for with weights of their own: two callbacks may have saved the same ones. */
async function openDistinct(storage: ReadStorage, request: AverageRequest, context: FileContext): Promise<Opened> {
  const { count } = request
  for (let more = 0; ;) {
    const found = await findAll(storage, { ...request, count: count === null ? null : count + more }, context)
    const reading = (await context.readThrough?.(found)) ?? storage
    const files = await openAll(reading, pathsOf(found))
    if (count === null) return { found, files, copies: [] }
    const originals = await readingNamed(pathsOf(found), () => findOriginals(found, files))
    const copies = originals.filter((original, index) => original !== index).length
    if (copies <= more || found.length < count + more) return withoutCopies(found, files, originals)
    for (const file of files) await file.close()
    more = copies
  }
}

/** For each file the first of those with the same step whose weights are the same. */
async function findOriginals(found: readonly FoundParamFile[], files: readonly TensorFile[]): Promise<number[]> {
  const originals: number[] = []
  for (const [index, file] of files.entries()) {
    const step = found[index]?.checkpoint?.step ?? null
    let original = index
    for (let at = 0; at < index && original === index && step !== null; at += 1) {
      const other = files[at]
      if (found[at]?.checkpoint?.step !== step || originals[at] !== at || other === undefined) continue
      if (await haveSameWeights(other, file)) original = at
    }
    originals.push(original)
  }
  return originals
}

async function withoutCopies(
  found: readonly FoundParamFile[],
  files: readonly TensorFile[],
  originals: readonly number[],
): Promise<Opened> {
  const isOriginal = (_: unknown, index: number) => originals[index] === index
  for (const [index, file] of files.entries()) if (originals[index] !== index) await file.close()
  const nameOf = (index: number) => found[index]?.checkpoint?.name ?? found[index]?.path ?? ''
  return {
    found: found.filter(isOriginal),
    files: files.filter(isOriginal),
    copies: originals.flatMap((original, index) =>
      original === index
        ? []
        : [`${nameOf(index)} holds the same weights as ${nameOf(original)}, and counts once with it`],
    ),
  }
}

async function haveSameWeights(one: TensorFile, other: TensorFile): Promise<boolean> {
  return haveSameValues(weightsOf(one).file, weightsOf(other).file)
}

async function findAll(
  storage: ReadStorage,
  request: AverageRequest,
  context: FileContext,
): Promise<readonly FoundParamFile[]> {
  const { what, count } = request
  if (count !== null && (await isFile(storage, resolve(request.base, what[0] ?? '.')))) {
    throw new CkptError('usage', `${what[0] ?? ''} is a file: a number of checkpoints is chosen from a run`)
  }
  if (count !== null) return findFiles(storage, what[0] ?? '.', request, count, context)
  const found: FoundParamFile[] = []
  for (const one of what) {
    const key = (await isFile(storage, resolve(request.base, one))) ? undefined : request.key
    found.push(await findFile(storage, one, { ...request, key }, context))
  }
  return found
}

/**
 * By the times that the checkpoints say where all say one, those of one run else by their steps, else by the files'
 * times; of equals the last.
 */
async function newestOf(storage: ReadStorage, found: readonly FoundParamFile[]): Promise<number> {
  const stats = await storage.stat(found.map(({ path }) => path))
  const ofOneRun = new Set(found.map(({ checkpoint }) => checkpoint?.run)).size === 1
  const scales = [
    found.map(({ checkpoint }) => checkpoint?.unixtime ?? null),
    found.map(({ checkpoint }) => (ofOneRun ? (checkpoint?.step ?? null) : null)),
    stats.map((stat) => (stat.ok ? stat.value.modified : 0)),
  ]
  const times = scales.find((scale) => scale.every((time) => time !== null)) ?? []
  return times.reduce<number>((best, time, index) => (time >= (times[best] ?? 0) ? index : best), 0)
}

/**
 * Writes the mean; the format is what the output's name or the newest file says when it is left out. Throws as `average`
 * does, and CkptError `unreadable` where the system refuses to read on.
 */
export function writeAverage(
  storage: Storage,
  { plan, found }: PreparedAverage,
  output: Omit<AverageOutput, 'format'> & Partial<AverageOutput>,
  options: AverageWork,
): Promise<WrittenOutput> {
  const format = output.format ?? formatFor(output.path, plan.newest)
  return readingNamed(pathsOf(found), () => average(storage, plan, { ...output, format }, options))
}

function pathsOf(found: readonly FoundParamFile[]): string[] {
  return found.map(({ path }) => path)
}

/** A checkpoint that is to hold the mean. */
export interface AverageCheckpoint extends Pick<NewCheckpoint, 'run' | 'name' | 'stamp'> {
  /** Unix seconds. */
  readonly unixtime: number
  /** Beside what it was averaged from, and before it. */
  readonly meta: ReadonlyMap<string, PyValue>
  /** The key of its file; when left out, that of the averaged ones, or `model`. */
  readonly key?: string | undefined
  readonly format?: OutputFormat | undefined
}

/**
 * Saves the mean as a checkpoint, in one step as `saveCheckpoint` does, and throws as it does. Its meta says in
 * `averaged-from` what it is the mean of: names of checkpoints, else paths; and in `averaged-weights` the weights.
 */
export async function saveAverage(
  storage: Storage,
  prepared: PreparedAverage,
  checkpoint: AverageCheckpoint,
  options: Pick<SaveOptions, 'wait'> & Omit<AverageWork, 'force'>,
): Promise<Saved & Pick<WrittenOutput, 'losses'>> {
  const { wait, ...work } = options
  let losses: WrittenOutput['losses']
  const onWritten = (written: WrittenOutput): void => {
    losses = written.losses
  }
  const saved = await saveCheckpoint(storage, newCheckpoint(storage, prepared, checkpoint, work, onWritten), {
    wait,
    ...(work.signal === undefined ? {} : { signal: work.signal }),
  })
  return losses === undefined ? saved : { ...saved, losses }
}

/** Throws CkptError `refused` for a run of a framework that does not read the checkpoints that `saveAverage` makes. */
export function ensureSavesInto({ path, checkpoints }: Run): void {
  const layouts = new Set(checkpoints.map(({ layout }) => layout))
  const [first] = layouts
  if (first === undefined || layouts.has('speechbrain')) return
  throw new CkptError(
    'refused',
    `${path}: is a run of ${first}, which does not read the checkpoints that are saved here`,
    {
      hint: 'write the mean to a file: --output FILE',
    },
  )
}

/** The checkpoint that `saveAverage` would make. Changes nothing, and throws as the save would. */
export function previewAverage(
  storage: Storage,
  prepared: PreparedAverage,
  checkpoint: AverageCheckpoint,
): Promise<Checkpoint> {
  return previewCheckpoint(storage, newCheckpoint(storage, prepared, checkpoint, {}))
}

function newCheckpoint(
  storage: Storage,
  prepared: PreparedAverage,
  { run, name, stamp, unixtime, meta, key = keyOf(prepared.found), format }: AverageCheckpoint,
  work: Omit<AverageWork, 'force'>,
  onWritten: (written: WrittenOutput) => void = () => undefined,
): NewCheckpoint {
  const { found, plan } = prepared
  const facts = toPyValues({
    'averaged-from': found.map(({ path, checkpoint }) => checkpoint?.name ?? path),
    'averaged-weights': plan.weights,
  })
  const write = async (path: string): Promise<void> => {
    onWritten(await writeAverage(storage, prepared, { path, ...(format === undefined ? {} : { format }) }, work))
  }
  return {
    run,
    name,
    stamp,
    meta: toPyMeta(new Map([...facts, ...meta]), { unixtime, endOfEpoch: true }),
    files: new Map([[key, { kind: 'written', write }]]),
    marker: ownMarker(),
  }
}

function keyOf(found: readonly FoundParamFile[]): string {
  const keys = new Set(
    found.map(({ path, checkpoint }) => checkpoint?.files.find((file) => file.path === path)?.key ?? 'model'),
  )
  const [only = 'model', ...others] = keys
  return others.length === 0 ? only : 'model'
}
