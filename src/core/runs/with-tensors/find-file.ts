/** From what someone typed (a file, a checkpoint, a run with a query) to the files of tensors that are meant. */
import { basename, dirname } from 'node:path'
import {
  holdsWeights,
  isSound,
  stateOf,
  type Checkpoint,
  type Finding,
  type HealthLevel,
  type ParamFile,
  type Run,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { HealthOptions } from '../../checkpoints/health/index.js'
import { findCheckpointAt, loadCheckpoint, type LoadedCheckpoint } from '../../checkpoints/layouts/index.js'
import { didYouMean } from '../../choosing/expression/index.js'
import { rank, valueFor, type Order } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { findTensorFolder, isTensorFile, type TensorFile } from '../../tensors/read/index.js'
import { loadByWord } from '../opening/checkpoint-by-word.js'
import { arrange, explainNoMatch, type Query } from '../opening/rank-and-filter.js'
import { weightsOfBranch } from '../export/hub.js'
import { orLoneFolder } from '../opening/lone-weights.js'
import { examineOne, openRun } from '../opening/open-run.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export interface FileRequest {
  /** Absolute: where names that are not paths are looked up. */
  readonly base: string
  /** Chooses among the checkpoints of a run: at most one order; none means the newest first. */
  readonly query: Query
  /** How deep checkpoints of a run are looked at before one is chosen; left out: `quick`. */
  readonly verify?: HealthLevel | undefined
  /** Of the parameter file; when left out, the only one with tensors, else the one with the weights. */
  readonly key?: string | undefined
}

export interface FileContext extends HealthOptions {
  /** Unix seconds. */
  readonly now: number
  /** Gives what the found files are opened through: hooks may put other bytes in their place. */
  readonly readThrough?: ((files: readonly FoundParamFile[]) => Promise<ReadStorage>) | undefined
}

export interface FoundParamFile {
  /** Absolute. A folder where the files of one checkpoint hold the tensors together: see `openTensors`. */
  readonly path: string
  /** Null for a file that was named itself. */
  readonly checkpoint: Checkpoint | null
  /** By which it was chosen, with its value. */
  readonly metric: { readonly key: string; readonly value: number | bigint } | null
  /** For people: a checkpoint that is not whole, those passed over, a key that no checkpoint has. */
  readonly warnings: readonly string[]
}

/**
 * `argument` is a path (of a file, a checkpoint, a run, a folder of a model), `latest`, `best` or the name of a
 * checkpoint in the run at `base`. Throws CkptError: `usage` for a query where
 * nothing is to be chosen or a key that could be several, `no-match` when no checkpoint or no file is such a one, and
 * as `openRun` and `loadCheckpoint` do.
 */
export async function findFile(
  storage: ReadStorage,
  argument: string,
  request: FileRequest,
  context: FileContext,
): Promise<FoundParamFile> {
  const [found] = await findFiles(storage, argument, request, 1, context)
  if (found === undefined) throw new CkptError('no-match', `${argument}: nothing was found`)
  return found
}

/**
 * The first `count` whole ones of a run, as the query ranks them, likewise. Fewer are not an error; none is: CkptError
 * `damaged` where none that matches is whole.
 */
export async function findFiles(
  storage: ReadStorage,
  argument: string,
  request: FileRequest,
  count: number,
  context: FileContext,
): Promise<FoundParamFile[]> {
  const path = argument.startsWith('/') ? argument : `${request.base}/${argument}`
  const chosen = await loadByWord(storage, argument, request.base)
  if (chosen !== null) return [await fileOfOne(storage, chosen, request, context)]
  const [stat] = await storage.stat([path])
  if (stat?.ok === true && stat.value.kind !== 'directory') {
    refuseQuery(request, `${path} is a file`)
    if (request.key !== undefined) throw notForFile(path, request.key)
    return [{ path, checkpoint: null, metric: null, warnings: [] }]
  }
  const single = await findSingle(storage, argument, path, stat?.ok === true, request)
  if (single !== null) return [await fileOfOne(storage, single, request, context)]
  const run = await orLoneFolder(storage, path, () => openRun(storage, path))
  if ('checkpoint' in run) return [await fileOfOne(storage, run, request, context)]
  return findInRun(storage, run, request, count, context)
}

async function fileOfOne(
  storage: ReadStorage,
  { checkpoint, run }: LoadedCheckpoint,
  request: FileRequest,
  context: FileContext,
): Promise<FoundParamFile> {
  refuseQuery(request, `${checkpoint.path} is a checkpoint`)
  const examined = await examineOne(storage, run.checkpoints, checkpoint, request.verify ?? 'quick', context)
  return fileIn(storage, examined, request)
}

async function findSingle(
  storage: ReadStorage,
  argument: string,
  path: string,
  exists: boolean,
  { base }: FileRequest,
): Promise<LoadedCheckpoint | null> {
  return exists ? findCheckpointAt(storage, path) : loadCheckpoint(storage, argument, base)
}

async function findInRun(
  storage: ReadStorage,
  run: Run,
  request: FileRequest,
  count: number,
  context: FileContext,
): Promise<FoundParamFile[]> {
  const { query } = request
  const { ordered, selected, warnings } = await arrange(storage, run.checkpoints, query, context.now)
  const [order] = query.orders
  const ranked = rank(selected, order, context.now)
  if (ranked.length === 0) {
    throw new CkptError('no-match', `${run.path}: ${explainNoMatch(query, ordered)}`, {
      hint: `see what there is: ckpt list ${quoteWord(run.path)}`,
    })
  }
  const found: FoundParamFile[] = []
  const pending = [...warnings]
  for (const checkpoint of ranked) {
    if (found.length === count) break
    if (found.some((other) => other.checkpoint !== null && stateOf(other.checkpoint) === stateOf(checkpoint))) continue
    const examined = await examineOne(storage, ordered, checkpoint, request.verify ?? 'quick', context)
    if (!isSound(examined) && request.verify !== 'none') {
      pending.push(`passed over ${examined.name}: ${describe(examined.health.findings)}`)
      continue
    }
    const file = await fileIn(storage, examined, request)
    const value = order === undefined ? undefined : valueFor(checkpoint, order, context.now)
    const key = order === undefined ? '' : nameOf(order)
    const metric = value === undefined ? null : { key, value }
    found.push({ ...file, metric, warnings: [...pending.splice(0), ...file.warnings] })
  }
  if (found.length > 0) return found
  throw new CkptError(
    'damaged',
    [`${run.path}: none of the ${ranked.length} checkpoints that match is whole`, ...pending].join('\n  '),
    {
      hint: 'with --verify none the first of them is taken all the same',
    },
  )
}

function nameOf(order: Order): string {
  if (order.kind === 'named') return order.label
  return order.kind === 'by' ? order.expression.text : order.key
}

async function fileIn(storage: ReadStorage, checkpoint: Checkpoint, { key }: FileRequest): Promise<FoundParamFile> {
  const whole = key === undefined ? await findTensorFolder(storage, checkpoint.path) : null
  const { path } = whole ?? (key === undefined ? await weightsOf(storage, checkpoint) : fileOfKey(checkpoint, key))
  const { findings } = checkpoint.health
  const warnings = isSound(checkpoint) ? [] : [`${checkpoint.name} is not whole: ${describe(findings)}`]
  return { path, checkpoint, metric: null, warnings }
}

function describe(findings: readonly Finding[]): string {
  return findings.map(({ file, reason }) => (file === undefined ? reason : `${file}: ${reason}`)).join('; ')
}

/** The parameter file of this key. Throws CkptError `no-match`. */
export function fileOfKey(checkpoint: Checkpoint, key: string): ParamFile {
  const file = checkpoint.files.find((one) => one.key === key)
  if (file !== undefined) return file
  throw new CkptError('no-match', `${checkpoint.name} has no file with the key ${key}`, {
    hint: keysOf(checkpoint, key),
  })
}

function keysOf({ files }: Checkpoint, wanted?: string): string {
  const keys = files.map((file) => file.key)
  if (keys.length === 0) return 'it has no parameter files'
  const meant = wanted === undefined ? undefined : didYouMean(wanted, keys)
  return `${meant === undefined ? '' : `${meant} `}it has: ${keys.join(', ')}`
}

/** Keys of weights, the most usual first. */
const weightKeys = ['model', 'pytorch_model', 'adapter_model', 'weights', 'state_dict']
async function weightsOf(storage: ReadStorage, checkpoint: Checkpoint): Promise<ParamFile> {
  const [only, ...others] = checkpoint.files
  if (only !== undefined && others.length === 0) return only
  const [ofLoader, another] = filesOfLoader(checkpoint)
  if (ofLoader !== undefined && another === undefined) return ofLoader
  const usual = weightKeys.flatMap((key) => checkpoint.files.filter((file) => file.key.replace(/\..*$/, '') === key))[0]
  if (usual !== undefined) return usual
  const known = await tensorFiles(storage, checkpoint.files.filter(holdsWeights))
  const candidates =
    known.length > 0
      ? known
      : await tensorFiles(
          storage,
          checkpoint.files.filter(({ role }) => role === 'other'),
        )
  const [first, second] = candidates
  if (first !== undefined && second === undefined) return first
  throw new CkptError(
    first === undefined ? 'no-match' : 'usage',
    first === undefined
      ? `${checkpoint.path}: none of its files is known to hold weights`
      : `${checkpoint.path}: several of its files can hold the weights: ${candidates.map(({ key }) => key).join(', ')}`,
    { hint: `name one with --key; ${keysOf(checkpoint)}` },
  )
}

/** Those that `from_pretrained` would read of the folder: an index, and no shard or variant beside it. */
function filesOfLoader({ path, files }: Checkpoint): ParamFile[] {
  const named = new Map(files.filter((file) => dirname(file.path) === path).map((file) => [file.path, file]))
  const there = [...named.values()].map((file) => ({
    name: basename(file.path),
    path: file.path,
    size: file.size ?? 0,
  }))
  const found = weightsOfBranch({ path, prefix: '', files: there })
  return found.flatMap(({ file }) => named.get(file.path) ?? [])
}

async function tensorFiles(storage: ReadStorage, files: readonly ParamFile[]): Promise<ParamFile[]> {
  const found: ParamFile[] = []
  for (const file of files) if (await isTensorFile(storage, file.path)) found.push(file)
  return found
}

function refuseQuery({ query }: FileRequest, what: string): void {
  if (query.orders.length + query.where.length === 0) return
  throw new CkptError('usage', `${what}, and there is nothing to choose from`, {
    hint: '--min, --max, --by and --where choose among the checkpoints of a run',
  })
}

function notForFile(path: string, key: string): CkptError {
  return new CkptError('usage', `--key ${key} is for a checkpoint or a run, and ${path} is a file`)
}

/** What to say of the files, for people. */
export function warningsOf(found: readonly FoundParamFile[], open: readonly TensorFile[]): string[] {
  const odd = open.flatMap(({ path, findings }) => findings.map((finding) => `${path}: ${finding}`))
  return [...new Set([...found.flatMap(({ warnings }) => warnings), ...odd])]
}

/** True for a path that leads to a file: it needs no key, and nothing is chosen in it. */
export async function isFile(storage: ReadStorage, path: string): Promise<boolean> {
  const [stat] = await storage.stat([path])
  return stat?.ok === true && stat.value.kind !== 'directory'
}
