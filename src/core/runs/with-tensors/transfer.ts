/** A transfer from what someone typed: files, checkpoints and runs with a query to a plan, and the plan to a file. */
import { dirname, join, resolve } from 'node:path'
import { CkptError } from '../../errors.js'
import { nearestNames, orList } from '../../choosing/expression/index.js'
import {
  compileMapping,
  parseMapFile,
  type NameRule,
  type NameRules,
  type Regrouping,
  nameFilter,
} from '../../tensors/names/index.js'
import type { OutputFormat, WriteOptions, WrittenOutput } from '../../tensors/write/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import {
  rearranged,
  weightsOf,
  type Dtype,
  type LeftOut,
  type Rearranged,
  type TensorFile,
  openAll,
  readingNamed,
} from '../../tensors/read/index.js'
import {
  matchTensors,
  sparedFrom,
  transfer,
  transferInPlace,
  type MatchOptions,
  type TransferPlan,
} from '../../tensors/transfer/index.js'
import { findFile, type FileContext, type FileRequest, type FoundParamFile, isFile, warningsOf } from './find-file.js'

export interface TransferRequest extends FileRequest {
  /** A file, a checkpoint or a run; the query chooses in it, and the key names its file. */
  readonly source: string
  /** The same; of a run, its newest. */
  readonly target: string
  /** `map` goes before what stands in the file `mapFile` (absolute). */
  readonly names: NameRules & { readonly mapFile?: string | undefined }
  readonly match: Omit<MatchOptions, 'isWanted' | 'rename'>
  /** Before names are matched: see `rearranged`. By the source's own names, and those that they make. */
  readonly arrange?: Arrangement | undefined
  /** The part of the source: see `weightsOf`; its weights when left out. */
  readonly part?: string | undefined
}

export interface Arrangement {
  /** Patterns for names of matrices. */
  readonly transpose: readonly string[]
  readonly splits: readonly Regrouping[]
  readonly fuses: readonly Regrouping[]
  /** See `Rearrangement`; 1 when left out. */
  readonly heads?: number | undefined
}

export interface PreparedTransfer {
  /** Of the weights of both. */
  readonly plan: TransferPlan
  readonly from: FoundParamFile
  /** What is left out of the source, and what the target has around its weights. */
  readonly leftOut: readonly LeftOut[]
  readonly surroundings: readonly LeftOut[]
  /** For people. */
  readonly warnings: readonly string[]
  /** Closes the plan's files. */
  readonly close: () => Promise<void>
}

/** The files that a transfer is about. */
export interface TransferSides {
  readonly from: FoundParamFile
  readonly into: FoundParamFile
}

/** Finds both sides. Throws CkptError as `findFile` does. */
export async function findSides(
  storage: ReadStorage,
  request: TransferRequest,
  context: FileContext,
): Promise<TransferSides> {
  const from = await findFile(storage, request.source, request, context)
  return { from, into: await findTarget(storage, request, context) }
}

/**
 * Opens both sides and matches them; nothing is written. Throws CkptError as `openTensors` and the name rules do. The
 * plan may be one that is refused: see `ensureTransferable`.
 */
export async function prepareTransfer(
  storage: ReadStorage,
  request: TransferRequest,
  sides: TransferSides,
  context: FileContext,
): Promise<PreparedTransfer> {
  const { from } = sides
  const rules = await readRules(storage, request.names)
  const mapping = await compileMapping(rules)
  const reading = (await context.readThrough?.([from, sides.into])) ?? storage
  const [source, target] = await openAll(reading, [from.path, sides.into.path])
  if (source === undefined || target === undefined) throw new RangeError('two paths were given')
  const close = async () => {
    await source.close()
    await target.close()
  }
  try {
    const weights = weightsOf(source, request.part)
    const into = weightsOf(target, sameRole(request.part))
    const arranged = await arrangedAs(weights.file, into.file, request.arrange, mapping.rename)
    const isRearranged = request.arrange !== undefined
    const heads = await headsBeside(storage, [from.path, sides.into.path])
    const plan = matchTensors(arranged.file, into.file, { ...request.match, ...mapping, isRearranged, heads })
    const warnings = [
      ...warningsOf([from, sides.into], [source, target]),
      ...arranged.idle.map((flag) => `${flag}: the source has no such tensors`),
      ...plan.conflicts,
      ...sparedFrom(plan.target, request.match.dtype),
      ...tellIneffective(rules, mapping.idle(), plan.source, plan.target),
    ]
    return { plan, from, leftOut: weights.leftOut, surroundings: into.leftOut, warnings, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What a configuration beside one of the files says of its model's heads (transformers); undefined where none does. */
async function headsBeside(storage: ReadStorage, paths: readonly string[]): Promise<number | undefined> {
  const configs = await storage.read(
    paths.map((path) => join(dirname(path), 'config.json')),
    largestConfig,
  )
  for (const read of configs) {
    const heads = read.ok ? headsIn(read.value) : undefined
    if (heads !== undefined) return heads
  }
  return undefined
}

const largestConfig = 1 << 20

/** The groups of its fused query, key and value. Falcon's newer models have one for each head of keys. */
function headsIn(bytes: Uint8Array): number | undefined {
  let config: unknown
  try {
    config = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
  if (typeof config !== 'object' || config === null) return undefined
  const values = new Map<string, unknown>(Object.entries(config))
  if (values.get('multi_query') === true && values.get('new_decoder_architecture') !== true) return 1
  const ofKeys = values.get('new_decoder_architecture') === true ? values.get('num_kv_heads') : undefined
  const heads = ofKeys ?? values.get('num_attention_heads') ?? values.get('n_head')
  return typeof heads === 'number' && Number.isSafeInteger(heads) && heads > 0 ? heads : undefined
}

/** The source as the flags have it; the target tells how many rows each part has. */
async function arrangedAs(
  source: TensorFile,
  target: TensorFile,
  arrange: Arrangement | undefined,
  rename: (name: string) => string,
): Promise<Rearranged> {
  if (arrange === undefined) return { file: source, idle: [] }
  const rows = new Map(target.tensors.map(({ name, shape }) => [name, shape[0]]))
  const rowsOf = (name: string): number | undefined => {
    const count = rows.get(rename(name))
    return typeof count === 'number' ? count : undefined
  }
  const { transpose, splits, fuses, heads = 1 } = arrange
  const matches = transpose.length === 0 ? () => false : await nameFilter(transpose)
  return rearranged(source, { transposes: matches, splits, fuses, heads }, rowsOf)
}

/** The state of an optimizer goes into one; weights, averaged ones too, go into the target's weights. */
function sameRole(part: string | undefined): string | undefined {
  return part === 'optimizer' ? part : undefined
}

/** The query is for the source; the key for the target too where it is not a file. */
async function findTarget(
  storage: ReadStorage,
  { target, base, key, verify }: TransferRequest,
  context: FileContext,
): Promise<FoundParamFile> {
  const isPlain = await isFile(storage, resolve(base, target))
  const request = { base, query: { orders: [], where: [] }, verify, key: isPlain ? undefined : key }
  return findFile(storage, target, request, context)
}

/** A map of a million names has a hundred bytes each. */
const largestMap = 1 << 27

/** Those of the map file among them. */
async function readRules(
  storage: ReadStorage,
  { mapFile, ...rules }: TransferRequest['names'],
): Promise<NameRules & { readonly map: ReadonlyMap<string, string> }> {
  const { map = new Map<string, string>() } = rules
  if (mapFile === undefined) return { ...rules, map }
  const [read] = await storage.read([mapFile], largestMap)
  if (read?.ok === true) {
    const listed = parseMapFile(mapFile, new TextDecoder().decode(read.value))
    return { ...rules, map: new Map([...listed, ...map]) }
  }
  if (read?.error.errno === 'EISDIR') throw new CkptError('usage', `--map-file ${mapFile}: is a folder`)
  throw read?.error ?? new CkptError('system', `${mapFile} could not be read`)
}

const effects: Readonly<Record<NameRule['flag'], string>> = {
  '--include': 'no name of the source matches it',
  '--exclude': 'no name of the source matches it',
  '--map': 'the source has no such tensor',
  '--strip-prefix': 'no name of the source begins with it',
  '--rename': 'it changes no name of the source',
}

/** A map file of another model has thousands: only these are reported, for to look for the nearest takes its time. */
const mostListed = 10

/** Rules that mean nothing in the source, and entries of the map that lead to nothing in the target. */
function tellIneffective(
  { map }: { readonly map: ReadonlyMap<string, string> },
  idle: readonly NameRule[],
  source: TensorFile,
  target: TensorFile,
): string[] {
  const inSource = new Set(idle.some(({ flag }) => flag === '--map') ? partsOf(source) : [])
  const inTarget = new Set(map.size > 0 ? partsOf(target) : [])
  const idleValues = new Set(idle.map(({ value }) => value))
  const astray = [...map].filter(([old, renamed]) => !idleValues.has(old) && !inTarget.has(renamed))
  const warnings = [
    ...idle.slice(0, mostListed).map((rule) => () => tellIdle(rule, inSource)),
    ...astray.slice(0, mostListed).map(([old, renamed]) => () => {
      return `--map ${old}=${renamed}: the target has no such tensor${nearestIn(inTarget, renamed)}`
    }),
  ]
  const listed = warnings.slice(0, mostListed).map((warning) => warning())
  const more = idle.length + astray.length - listed.length
  return more > 0 ? [...listed, `${more} more rules without effect`] : listed
}

function tellIdle({ flag, value }: NameRule, names: ReadonlySet<string>): string {
  return `${flag} ${value}: ${effects[flag]}${flag === '--map' ? nearestIn(names, value) : ''}`
}

function nearestIn(names: ReadonlySet<string>, wanted: string): string {
  const near = nearestNames(wanted, names)
  return near.length === 0 ? '' : `; the nearest: ${orList(near)}`
}

/** The names, and all that stands before a dot in them. */
function partsOf({ tensors }: TensorFile): Set<string> {
  const parts = new Set<string>()
  for (const { name } of tensors) {
    parts.add(name)
    for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) parts.add(name.slice(0, dot))
  }
  return parts
}

export interface TransferOutput {
  /** Absolute. Null, in a clone: the target's own. */
  readonly path: string | null
  /** Changes a clone of the target, whose blocks it shares where the file system can; nothing below is for that. */
  readonly inPlace?: boolean
  readonly format?: OutputFormat | undefined
  readonly shardSize?: number | undefined
  readonly dtype?: Dtype | undefined
  /** Of torch: one state_dict, without what the target has around its weights. */
  readonly weightsOnly?: boolean
  /** Says in the metadata where the values came from. */
  readonly recordsSource?: boolean
}

type TransferWork = Pick<WriteOptions, 'force' | 'onOutdated' | 'onProgress' | 'signal' | 'strictCast'>

/**
 * Throws as `transfer` and `transferInPlace` do, and CkptError `unreadable` where the system refuses to read on in one of
 * the files.
 */
export async function carryTransfer(
  storage: Storage,
  prepared: PreparedTransfer,
  output: TransferOutput,
  options: TransferWork,
): Promise<WrittenOutput> {
  const named = [prepared.from.path, prepared.plan.source.path, prepared.plan.target.path]
  return readingNamed(named, () => carry(storage, prepared, output, options))
}

async function carry(
  storage: Storage,
  { plan, from }: PreparedTransfer,
  { path, inPlace = false, recordsSource = false, ...output }: TransferOutput,
  options: TransferWork,
): Promise<WrittenOutput> {
  if (!inPlace) {
    if (path === null) throw new CkptError('usage', 'a transfer needs an output')
    const origin = recordsSource ? { origin: originOf(plan, from) } : {}
    return transfer(storage, plan, path, { ...options, ...output, ...origin })
  }
  if (path !== null) return transferInPlace(storage, plan, path, options)
  // A link stays a link: what it leads to is replaced.
  const [real] = await storage.resolve([plan.target.path])
  const own = real?.ok === true ? real.value : plan.target.path
  return transferInPlace(storage, plan, own, { ...options, force: true })
}

function originOf(
  { source, matched, target }: TransferPlan,
  { checkpoint, metric }: FoundParamFile,
): Map<string, string> {
  return new Map([
    ['ckpt.source', source.path],
    ...(checkpoint === null ? [] : ([['ckpt.checkpoint', checkpoint.name]] as const)),
    ...(metric === null ? [] : ([['ckpt.metric', `${metric.key}=${metric.value}`]] as const)),
    ['ckpt.count', `${matched.length} of ${target.tensors.length}`],
  ])
}
