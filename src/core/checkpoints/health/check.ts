/** Is a checkpoint whole? Graded, with the exact cause (docs/design.md §6). */
import { basename } from 'node:path'
import {
  isParameterFile,
  loneLayout,
  withHealth,
  type Checkpoint,
  type Finding,
  type ParamFile,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { UnpackingBudget } from '../../formats/compression/unpacking-budget.js'
import { isIndexName } from '../../formats/safetensors/weight-map.js'
import {
  batches,
  explainTemporary,
  folderReason,
  listFiles,
  ScanTree,
  uniteFindings,
  type CheckpointFiles,
  type MeasuredFile,
} from '../layouts/index.js'
import type { ReadStorage, Sweep } from '../../storage/storage.js'
import type { Sum, Sums } from './checksums.js'
import { isEmptyDamage } from './empty.js'
import { expectedSums, inspectDistributed, mayBeDistributed } from './distributed.js'
import type { Kind } from './file-kind.js'
import { findMissingBelow } from './missing-below.js'
import {
  compareKind,
  inspectFile,
  withSum,
  type Inspected,
  type InspectOptions,
  type Rest,
  type Surroundings,
} from './inspect.js'
import { inspectOcdbt, isOcdbtManifest } from './ocdbt.js'
import { fewestWitnesses, findMissing, findMissingShards } from './missing.js'
import { Neighbours } from './neighbours.js'
import { inspectTensorFlow } from './tensorflow.js'
import { inspectZarrFolders, isZarrTree } from './zarr-folders.js'
import { findPartSaves } from './racing-saves.js'
import { inspectIndex, Shards } from './shard-index.js'

/** How a look at checkpoints is watched and ended. */
export interface HealthOptions {
  /** Called after each part with how many bytes of how many have been looked at. */
  readonly onProgress?: (done: number, total: number) => void
  /** Ends the work with CkptError `interrupted`. */
  readonly signal?: AbortSignal
}

/**
 * What can be known without opening a file: the findings of the scan, files that every other checkpoint has, and
 * files of 0 bytes where sizes were measured. `siblings` are all checkpoints of the run, `which` those to be graded.
 */
export function checkStructure(siblings: readonly Checkpoint[], which: readonly Checkpoint[] = siblings): Checkpoint[] {
  const missing = findMissing(siblings)
  const parts = findPartSaves(siblings)
  const sizes = sizesByKey(siblings, which)
  const isNothingFound = missing.size === 0 && parts.size === 0 && sizes === null
  return which.map((checkpoint) => {
    if (isNothingFound && checkpoint.health.findings.length === 0) return checkpoint
    const found = uniteFindings(
      checkpoint.health.findings,
      missing.get(checkpoint.path) ?? [],
      parts.get(checkpoint.path) ?? [],
      sizes === null ? [] : findMeasuredEmpty(checkpoint, sizes),
    )
    return found.length === checkpoint.health.findings.length ? checkpoint : withHealth(checkpoint, 'none', found)
  })
}

/**
 * Grades `which`, in order, by looking into their files: `quick` reads headers and end records, a few small reads a
 * file; `deep` reads every byte and compares checksums where the format has them. Damage never throws.
 * `siblings` are all checkpoints of the run.
 */
export async function checkHealth(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  level: 'quick' | 'deep',
  options: HealthOptions = {},
): Promise<Checkpoint[]> {
  const checked = await check(storage, siblings, which, { level, isSummed: () => false }, options)
  return checked.map(({ checkpoint }) => checkpoint)
}

/** A graded checkpoint, and what its files are. */
export interface Summed {
  readonly checkpoint: Checkpoint
  /** Of all files that could be read from end to end; empty where no sums were asked for. */
  readonly sums: Sums
}

/** The same, deep, and in the same reading the SHA-256 of each file of the checkpoints that `isSummed` picks. */
export async function checkAndSum(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  isSummed: (checkpoint: Checkpoint) => boolean,
  options: HealthOptions = {},
): Promise<Summed[]> {
  return check(storage, siblings, which, { level: 'deep', isSummed }, options)
}

interface Depth {
  readonly level: 'quick' | 'deep'
  readonly isSummed: (checkpoint: Checkpoint) => boolean
}

async function check(
  remembering: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  { level, isSummed }: Depth,
  options: HealthOptions,
): Promise<Summed[]> {
  const storage = ScanTree.readingFiles(remembering)
  const missing = findMissing(siblings)
  const neighbours = new Neighbours(storage, siblings, which)
  const unpacking = UnpackingBudget.forPickles()
  const inspected: Inspection[] = []
  const odd: (readonly Finding[])[] = []
  const names = new NamesOf()
  const inspectBatch = async (batch: readonly Checkpoint[]): Promise<void> => {
    const contents = await listFiles(storage, batch)
    for (const checkpoint of batch) {
      if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while checking')
      const found = contents.get(checkpoint) ?? { files: [], findings: [] }
      const how = { level, isSummed: isSummed(checkpoint), signal: options.signal, unpacking }
      const here = names.note(checkpoint, found.files)
      inspected.push(await inspectContents(storage, checkpoint, { ...found, names: here }, neighbours, how))
    }
  }
  const inspect = async (): Promise<Rest[]> => {
    for (const batch of batches(which, atOnce)) await inspectBatch(batch)
    for (const [index, checkpoint] of which.entries()) {
      odd.push(await findOddKinds(storage, checkpoint, inspected[index]?.unjudged ?? [], neighbours))
    }
    return inspected.flatMap(({ rests }) => rests)
  }
  const read = level === 'deep' ? await readRests(storage, which, inspect, options) : await readNothing(inspect)
  const missingBelow = await findMissingBelow(storage, siblings, which, names.byPath)
  return which.map((checkpoint, index) => {
    const { findings = [], rests = [], unlisted = [] } = inspected[index] ?? {}
    const all = uniteFindings(
      withoutThose(checkpoint.health.findings, findings),
      findings,
      odd[index] ?? [],
      rests.flatMap((rest) => read.get(rest)?.findings ?? []),
      unlisted,
      withoutThere(missing.get(checkpoint.path) ?? [], names.byPath.get(checkpoint.path) ?? []),
      missingBelow.get(checkpoint.path) ?? [],
    )
    return { checkpoint: withHealth(checkpoint, level, all), sums: sumsOf(rests, read) }
  })
}

/** By name, of what was read to its end. */
function sumsOf(rests: readonly Rest[], read: ReadonlyMap<Rest, Read>): Sums {
  return new Map(
    rests.flatMap((rest): [string, Sum][] => {
      const sha256 = read.get(rest)?.sha256 ?? null
      return sha256 === null ? [] : [[rest.name, { size: rest.sweep.size, sha256 }]]
    }),
  )
}

/** That an index names a missing file says more than that others have it. */
function withoutThose(structure: readonly Finding[], findings: readonly Finding[]): readonly Finding[] {
  const partial = new Set(findings.filter(({ grade }) => grade === 'partial').map(({ file }) => file))
  return structure.filter(({ grade, file }) => grade !== 'partial' || file === undefined || !partial.has(file))
}

/** What the others have and is here too, but as no file, is reported as what it is. */
function withoutThere(missing: readonly Finding[], names: readonly string[]): readonly Finding[] {
  return missing.filter(({ file }) => file === undefined || !names.includes(file))
}

/** Checkpoints whose files are in memory together: a run can have a hundred thousand. */
const atOnce = 256

/** The names of the files in checkpoints; those that follow one another and have the same share one list. */
class NamesOf {
  readonly byPath = new Map<string, readonly string[]>()
  private last: readonly string[] = []

  note({ path }: Checkpoint, files: readonly MeasuredFile[]): readonly string[] {
    const isSame = files.length === this.last.length && files.every(({ name }, at) => name === this.last[at])
    if (!isSame) this.last = files.map(({ name }) => name)
    this.byPath.set(path, this.last)
    return this.last
  }
}

interface Read {
  readonly findings: readonly Finding[]
  readonly sha256: string | null
}

/** Reads the files of all checkpoints together, so that several can be read at a time. */
async function readRests(
  storage: ReadStorage,
  which: readonly Checkpoint[],
  inspect: () => Promise<readonly Rest[]>,
  { onProgress, signal }: HealthOptions,
): Promise<ReadonlyMap<Rest, Read>> {
  let rests: readonly Rest[] = []
  let total = 0
  const find = async (): Promise<Sweep[]> => {
    rests = await inspect()
    total = rests.reduce((sum, { sweep }) => sum + sweep.size, 0)
    return rests.map(({ sweep }) => sweep)
  }
  let done = 0
  const onBytes = (count: number): void => {
    done += count
    onProgress?.(Math.min(done, total), total)
  }
  const expected = which.reduce((sum, { size }) => sum + (size ?? 0), 0)
  const answers = await storage.sweep(find, { expected, onBytes, signal })
  const read = new Map<Rest, Read>()
  for (const [index, answer] of answers.entries()) {
    const rest = rests[index]
    if (rest !== undefined) {
      read.set(rest, { findings: rest.judge(answer), sha256: answer.ok ? answer.value.sha256 : null })
    }
  }
  return read
}

/** Quick verification leaves nothing to be read. */
async function readNothing(inspect: () => Promise<unknown>): Promise<ReadonlyMap<Rest, Read>> {
  await inspect()
  return new Map()
}

/** A file of which only the others of its name tell whether it is what it should be. */
interface Unjudged {
  readonly name: string
  /** Its place among the files of the checkpoint. */
  readonly at: number
  readonly kind: 'text' | 'opaque'
}

interface Inspection {
  readonly findings: readonly Finding[]
  /** What could not be looked at. */
  readonly unlisted: readonly Finding[]
  readonly unjudged: readonly Unjudged[]
  readonly rests: readonly Rest[]
}

interface Contents extends CheckpointFiles {
  /** Of the files, in their order. */
  readonly names: readonly string[]
}

interface ContentsOptions extends InspectOptions {
  readonly isSummed: boolean
}

async function inspectContents(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  { files, names, findings: unlisted }: Contents,
  neighbours: Neighbours,
  options: ContentsOptions,
): Promise<Inspection> {
  const found: (readonly Finding[])[] = []
  const rests: Rest[] = []
  const unjudged: Unjudged[] = []
  const kinds = new Map<string, Kind>()
  const tensors = new Map<string, ReadonlySet<string>>()
  const itself = checkpoint.kind === 'file' ? checkpoint.name : undefined
  const known = new Set(checkpoint.health.findings.map((finding) => finding.file ?? itself))
  const expected = options.level === 'deep' ? await expectedSums(storage, files) : new Map<string, string>()
  for (const [at, file] of files.entries()) {
    // A temporary file is loaded by nothing, so nothing about it is damage of this checkpoint.
    if (file.stat?.kind !== 'file' || explainTemporary(basename(file.name)) !== null) continue
    const inspected = known.has(file.name) ? unread : await lookInto(storage, checkpoint, file, neighbours, options)
    if (inspected.findings.length > 0) found.push(inspected.findings)
    const { kind } = inspected
    if (kind !== null) kinds.set(file.name, kind)
    if (kind === 'text' || kind === 'opaque') unjudged.push({ name: file.name, at, kind })
    if (inspected.tensors !== null) tensors.set(file.name, inspected.tensors)
    const rest = restWith(file, inspected.rest, options.isSummed, expected.get(file.name))
    if (rest !== null) rests.push(rest)
  }
  neighbours.note(checkpoint, kinds)
  const marks = marksOf(names)
  if (marks.hasIndex) {
    const shards = new Shards(storage, files, tensors)
    for (const file of files) {
      if (!isIndexName(file.name) || (file.stat?.size ?? 0) === 0 || known.has(file.name)) continue
      found.push(await inspectIndex(storage, file, shards))
    }
  }
  found.push(marks.missingShards, marks.unfinished)
  if (marks.isDistributed) found.push(await inspectDistributed(storage, files))
  if (marks.isOcdbt) found.push(await inspectOcdbt(storage, files))
  if (marks.isZarr) found.push(await inspectZarrFolders(storage, files))
  if (options.level === 'deep') found.push(await inspectTensorFlow(storage, files, options.signal))
  found.push(await findFolders(storage, checkpoint, files, neighbours))
  return { findings: found.flat(), unlisted, unjudged, rests }
}

/** What the names of a checkpoint's files tell: asked once of those that follow one another and have the same. */
interface Marks {
  readonly hasIndex: boolean
  readonly isDistributed: boolean
  readonly isOcdbt: boolean
  readonly isZarr: boolean
  readonly missingShards: readonly Finding[]
  readonly unfinished: readonly Finding[]
}

const marksByNames = new WeakMap<readonly string[], Marks>()

function marksOf(names: readonly string[]): Marks {
  const known = marksByNames.get(names)
  if (known !== undefined) return known
  const marks: Marks = {
    hasIndex: names.some(isIndexName),
    isDistributed: mayBeDistributed(names),
    isOcdbt: names.some(isOcdbtManifest),
    isZarr: names.some(isZarrTree),
    missingShards: findMissingShards(names),
    unfinished: findUnfinishedFolders(names),
  }
  marksByNames.set(names, marks)
  return marks
}

/** Asked once all files have been looked into, so that none is opened again to compare others with it. */
async function findOddKinds(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  unjudged: readonly Unjudged[],
  neighbours: Neighbours,
): Promise<Finding[]> {
  const findings: Finding[] = []
  let files: readonly MeasuredFile[] | undefined
  for (const { name, at, kind } of unjudged) {
    if (neighbours.isAlike(checkpoint, name, kind)) continue
    const common = await neighbours.commonKindOf(checkpoint, name)
    files ??= (await listFiles(storage, [checkpoint])).get(checkpoint)?.files ?? []
    const file = files[at]
    if (file?.name !== name) continue
    findings.push(...(await compareKind(storage, file, kind, common, isParameterFile(checkpoint, file.path))))
  }
  return findings
}

/** What is read through of a file: also for the checksum that is to be recorded, or that its framework wrote down. */
function restWith(
  { name, path, stat }: MeasuredFile,
  rest: Rest | null,
  isSummed: boolean,
  sum: string | undefined,
): Rest | null {
  if (!isSummed && sum === undefined) return rest
  const summed = withSum(name, path, stat?.size ?? 0, rest)
  if (sum === undefined) return summed
  const judge: Rest['judge'] = (answer) => {
    const other = answer.ok ? answer.value.sha256 : sum
    const reason = `has the SHA-256 ${other?.slice(0, 16) ?? ''}…, and integrity.json lists ${sum.slice(0, 16)}…`
    return [...summed.judge(answer), ...(other === sum ? [] : [{ grade: 'corrupt' as const, file: name, reason }])]
  }
  return { ...summed, judge }
}

const unread: Inspected = { findings: [], tensors: null, rest: null, kind: null }

async function lookInto(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  file: MeasuredFile,
  neighbours: Neighbours,
  options: InspectOptions,
): Promise<Inspected> {
  if (file.stat?.size === 0) {
    const isDamage = await isEmptyFileDamage(checkpoint, file, neighbours)
    return isDamage ? { ...unread, findings: [emptyFinding(file.name)] } : unread
  }
  return inspectFile(storage, file, new AmongSiblings(checkpoint, file, neighbours), options)
}

/** Of most files nothing of this is asked. */
class AmongSiblings implements Surroundings {
  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly file: MeasuredFile,
    private readonly neighbours: Neighbours,
  ) {}

  commonSize(): Promise<number | null> {
    return this.neighbours.commonSizeOf(this.checkpoint, this.file.name)
  }

  endInZeros(): Promise<boolean | null> {
    return this.neighbours.commonEndOf(this.checkpoint, this.file.name)
  }

  get isParameter(): boolean {
    return isParameterFile(this.checkpoint, this.file.path)
  }

  get isAlone(): boolean {
    return this.checkpoint.layout === loneLayout
  }

  get isNeverEmpty(): boolean {
    return this.isParameter && isEmptyDamage(this.file.name, false, [])
  }
}

/** Keys whose file is a folder here; a recoverable may save one, but then it does so everywhere. */
async function findFolders(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  files: readonly MeasuredFile[],
  neighbours: Neighbours,
): Promise<Finding[]> {
  if (checkpoint.kind === 'file') return []
  const absent = filesNotAmong(files, checkpoint)
  if (absent.length === 0) return []
  const findings: Finding[] = []
  const stats = await storage.stat(absent.map(({ path }) => path))
  for (const [index, { path }] of absent.entries()) {
    const stat = stats[index]
    if (stat?.ok !== true || stat.value.kind !== 'directory') continue
    const file = basename(path)
    const others = await neighbours.sizesOf(checkpoint, file)
    if (others.length < fewestWitnesses) continue
    findings.push({ grade: 'corrupt', file, reason: `${folderReason}, and a file in the other checkpoints` })
  }
  return findings
}

/** Both have an order of their own, mostly the same: which of so few is which is looked for before a table is made. */
function filesNotAmong(files: readonly MeasuredFile[], checkpoint: Checkpoint): readonly ParamFile[] {
  if (files.length > fewFiles) {
    const here = new Set(files.map(({ path }) => path))
    return checkpoint.files.filter(({ path }) => !here.has(path))
  }
  return checkpoint.files.filter(({ path }) => !files.some((file) => file.path === path))
}

const fewFiles = 16

/** torch.distributed.checkpoint writes `.metadata` after all data (filesystem.py, `FileSystemWriter.finish`). */
function findUnfinishedFolders(names: readonly string[]): Finding[] {
  const folders = new Set(names.filter((name) => name.endsWith('.distcp')).map(folderOf))
  if (folders.size === 0) return []
  const here = new Set(names)
  return [...folders]
    .map((folder) => `${folder}.metadata`)
    .filter((file) => !here.has(file) && !names.some((name) => isRankMetadata(name, folderOf(file))))
    .map((file) => ({ grade: 'unfinished', file, reason: 'not there; it is written after all the data beside it' }))
}

/** Without coordination each rank writes its own in place of the one for all. */
function isRankMetadata(name: string, folder: string): boolean {
  return name.startsWith(folder) && /^__\d+\.metadata$/.test(name.slice(folder.length))
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1)
}

async function isEmptyFileDamage(checkpoint: Checkpoint, file: MeasuredFile, neighbours: Neighbours): Promise<boolean> {
  return isEmptyDamage(
    file.name,
    isParameterFile(checkpoint, file.path),
    await neighbours.sizesOf(checkpoint, file.name),
  )
}

function emptyFinding(file: string): Finding {
  return { grade: 'corrupt', file, reason: '0 bytes' }
}

/** What is known of the sizes of one key's file over a run. */
interface KnownSizes {
  count: number
  filled: number
}

/** Gathered only when one of `which` has an empty file; else null. */
function sizesByKey(
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
): ReadonlyMap<string, KnownSizes> | null {
  if (!which.some(({ files }) => files.some(({ size }) => size === 0))) return null
  const sizes = new Map<string, KnownSizes>()
  const graded = new Map(which.map((checkpoint) => [checkpoint.path, checkpoint]))
  for (const sibling of siblings) {
    for (const file of (graded.get(sibling.path) ?? sibling).files) {
      if (file.size === null) continue
      const known = sizes.get(file.key) ?? { count: 0, filled: 0 }
      sizes.set(file.key, known)
      known.count += 1
      if (file.size > 0) known.filled += 1
    }
  }
  return sizes
}

function findMeasuredEmpty(checkpoint: Checkpoint, sizes: ReadonlyMap<string, KnownSizes>): Finding[] {
  return checkpoint.files
    .filter((file) => file.size === 0 && isEmptyDamage(basename(file.path), true, othersOf(sizes.get(file.key))))
    .map((file) => emptyFinding(basename(file.path)))
}

/** One size stands for all of the others: whether any of them is filled decides. */
function othersOf(known: KnownSizes | undefined): number[] {
  if (known === undefined || known.count < 2) return []
  return [known.filled]
}
