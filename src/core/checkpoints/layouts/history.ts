/**
 * Every value that a framework logged while it trained, not only at its checkpoints: HF's `log_history`, Lightning's
 * `metrics.csv`, SpeechBrain's `train_log.txt`, and the tables that specs name as sources of facts.
 */
import { sep } from 'node:path'
import { isMeta, type Checkpoint, type Meta, type MetaValue, type Run } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { readJsonObject } from '../../formats/text/json.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import { filesBeside } from './engine/files-beside.js'
import { countsIn } from './engine/count-names.js'
import { logRows } from './engine/log-rows.js'
import { knownLayouts } from './registry.js'
import type { HistorySource } from './layout.js'

export type Axis = 'step' | 'epoch'

/** What one row of a log says of one key; `x` is a step or an epoch, as the checkpoints count them. */
export interface Logged {
  readonly x: number
  readonly value: number
}

export interface History {
  /** Absolute: the files that were read. */
  readonly files: readonly string[]
  /** By key, in the order of the log. */
  readonly values: ReadonlyMap<string, readonly Logged[]>
}

/** Values kept of one key: a log of a row a second has as many in a week. */
const mostValues = 1_000_000
/** Bytes. A larger file is not a Trainer's state. */
const largestState = 256 << 20

/**
 * Of these keys what the run's logs hold, along each of `axes`: each log is read once. One that cannot be read tells
 * nothing.
 */
export async function readHistory<A extends Axis>(
  storage: ReadStorage,
  run: Run,
  keys: readonly string[],
  axes: readonly A[],
): Promise<ReadonlyMap<A, History>> {
  const stepsPerEpoch = stepsPerEpochOf(run)
  const gathered = new Map(axes.map((axis) => [axis, new Gathered(keys, axis, stepsPerEpoch)]))
  for (const { id, history = [] } of knownLayouts()) {
    const names = run.checkpoints.filter(({ layout }) => layout === id).map(({ name }) => name)
    if (names.length === 0) continue
    for (const source of sourcesFor(names, history)) await readSource(storage, run, source, [...gathered.values()])
  }
  return gathered
}

/** Of those that count the same log in several ways the first that counts as these checkpoints do. */
function sourcesFor(names: readonly string[], history: readonly HistorySource[]): HistorySource[] {
  const found = new Set<string>()
  return history.filter((source) => {
    if (!('countsFor' in source)) return true
    if (found.has(source.beside) || !names.some(source.countsFor)) return false
    found.add(source.beside)
    return true
  })
}

/**
 * Null where the checkpoints do not say, or not all the same. One that was saved within an epoch already counts it, so
 * that of an epoch the last is taken, and none that says so (SpeechBrain's `end-of-epoch`).
 */
function stepsPerEpochOf({ checkpoints }: Run): number | null {
  const ends = new Map<number, number>()
  for (const { step, epoch, meta } of checkpoints) {
    if (!step || !epoch || meta.get('end-of-epoch') === false) continue
    ends.set(epoch, Math.max(step, ends.get(epoch) ?? 0))
  }
  const ratios = [...ends].map(([epoch, step]) => step / epoch)
  const [first = null] = ratios
  return ratios.every((ratio) => ratio === first) ? first : null
}

async function readSource(
  storage: ReadStorage,
  run: Run,
  source: HistorySource,
  into: readonly Gathered[],
): Promise<void> {
  if (source.from === 'trainer state') return readTrainerState(storage, run, into)
  const folder = { path: run.path, entries: [] }
  for (const path of await filesBeside(storage, folder, source.beside)) {
    try {
      await withFile(storage, path, async (handle) => {
        const used = new Set<Gathered>()
        for await (const rows of logRows(sourceOf(handle), source)) {
          for (const row of rows) if (source.rows?.(row) !== false) addToEach(into, row, source, used)
        }
        for (const one of used) one.files.push(path)
      })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
}

/** The newest state holds the log of all before it (transformers/trainer_callback.py). */
async function readTrainerState(storage: ReadStorage, { checkpoints }: Run, into: readonly Gathered[]): Promise<void> {
  for (const path of statePaths(checkpoints)) {
    const [bytes] = await storage.read([path], largestState)
    if (bytes?.ok !== true) continue
    const used = new Set<Gathered>()
    const onItem = (item: MetaValue): void => {
      if (isMeta(item)) addToEach(into, item, {}, used)
    }
    try {
      readJsonObject(bytes.value, { keys: new Set(), list: 'log_history', onList: () => undefined, onItem })
    } catch (error) {
      if (error instanceof FormatError) continue
      throw error
    }
    for (const one of used) one.files.push(path)
    return
  }
}

/** Of checkpoints with a state, the one of the highest step first. */
function statePaths(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints
    .filter(({ kind, step }) => kind === 'directory' && step !== null)
    .toSorted((a, b) => (b.step ?? 0) - (a.step ?? 0))
    .slice(0, 3)
    .map(({ path }) => `${path}${sep}trainer_state.json`)
}

/** `used` gets those to which the row tells something. */
function addToEach(into: readonly Gathered[], row: Meta, counting: Counting, used: Set<Gathered>): void {
  for (const one of into) if (one.add(row, counting)) used.add(one)
}

interface Counting {
  readonly columns?: Readonly<Partial<Record<Axis, string>>>
  readonly add?: Readonly<Partial<Record<Axis, number>>>
}

class Gathered implements History {
  readonly files: string[] = []
  readonly values = new Map<string, Logged[]>()

  constructor(
    private readonly keys: readonly string[],
    private readonly axis: Axis,
    private readonly stepsPerEpoch: number | null,
  ) {}

  /** True where the row tells something of one of the keys. */
  add(row: Meta, counting: Counting): boolean {
    const x = this.placeOf(row, counting)
    if (x === null) return false
    let isUsed = false
    for (const key of this.keys) {
      const value = row.get(key)
      if (typeof value !== 'number') continue
      const known = this.values.get(key) ?? []
      if (known.length === 0) this.values.set(key, known)
      if (known.length < mostValues) known.push({ x, value })
      isUsed = true
    }
    return isUsed
  }

  private placeOf(row: Meta, { columns = {}, add = {} }: Counting): number | null {
    const position = (axis: Axis): number | null => {
      const column = columns[axis]
      const at = (column === undefined ? countsIn(row) : row).get(column ?? axis)
      return typeof at === 'number' && Number.isFinite(at) ? at + (add[axis] ?? 0) : null
    }
    if (this.axis === 'epoch') return position('epoch')
    // Where epochs count, the log's own steps, if it has any, are others: mmengine's validations have the epoch as their `step`.
    const step = columns.step === undefined && columns.epoch !== undefined ? null : position('step')
    if (step !== null || columns.step !== undefined) return step
    const epoch = position('epoch')
    return epoch === null || this.stepsPerEpoch === null ? null : epoch * this.stepsPerEpoch
  }
}
