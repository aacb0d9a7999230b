/** One file of a checkpoint: is it what its bytes say that it is? */
import type { Finding } from '../../checkpoint.js'
import { CkptError, FormatError, isAbsence, isUnreadable, reasonOf, StorageError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { checkJson } from '../../formats/text/json.js'
import { checkMsgpack } from '../../formats/msgpack/msgpack.js'
import { parseHeader, prefixLength, readHeaderLength } from '../../formats/safetensors/safetensors.js'
import { PickleEndsEarly, type PickleReference } from '../../formats/pickle/index.js'
import { describeCut } from '../../formats/torch/cut.js'
import { checkKnownStorages } from '../../formats/torch/missing-storages.js'
import { rootOf } from '../../formats/torch/object.js'
import { StorageReferences } from '../../formats/torch/tensor.js'
import { readLegacyLayout, type LegacyStorage } from '../../formats/torch-storages/legacy.js'
import {
  checkEntry,
  checksumFault,
  endsAt,
  hasChecksums,
  locateEntries,
  readZip,
  tailLength,
  ZipEndMissing,
  type LocatedEntry,
  type ZipArchive,
} from '../../formats/archives/zip.js'
import type { MeasuredFile } from '../layouts/index.js'
import type { ReadHandle, ReadStorage, Result, Sweep, SweepSums } from '../../storage/storage.js'
import { headLength, kindOf, type Kind } from './file-kind.js'
import { inspectPacked, inspectTar, isPacked, type MemberLook } from './archive-members.js'
import { findPackedPickle, refuseStandIn } from './not-weights.js'
import { checkFor, checkTensors, holdsMembers } from './file-structures.js'
import { findMissingData, isOnnx } from './onnx-data.js'
import {
  longHead,
  mayBePickle,
  refuseUnsafe,
  refuseUnsafeArchive,
  refuseUnsafeFile,
  refuseUnsafePacked,
  isWorthReading,
} from './unsafe-pickles.js'
import { isUnpackable } from '../../formats/compression/unpack-first.js'
import { UnpackingBudget } from '../../formats/compression/unpacking-budget.js'
import { refuseUnknownBytes } from './unknown-bytes.js'
import { areUnwritten, extentOf, findZeroTail, type Extent } from './trailing-zeros.js'
import { sourceOf, untilAborted, withFile } from '../../storage/file-source.js'

/** What is known about the file from elsewhere in its run. Each is asked only when the file looks odd. */
export interface Surroundings {
  /** The length in bytes that the file has in the other checkpoints, where they agree. */
  commonSize(): Promise<number | null>
  /** Whether the file ends in zeros in the other checkpoints, where they agree. */
  endInZeros(): Promise<boolean | null>
  readonly isParameter: boolean
  /** A parameter file, and what its name stands for has no empty form. */
  readonly isNeverEmpty: boolean
  /** Named by itself, in no run: its bytes alone tell. */
  readonly isAlone: boolean
}

export interface InspectOptions {
  readonly level: 'quick' | 'deep'
  readonly signal?: AbortSignal | undefined
  /** What may be unpacked of the pickles of many files together. */
  readonly unpacking?: UnpackingBudget | undefined
}

export interface Inspected {
  readonly findings: readonly Finding[]
  /** Names of the tensors, where the header was read: an index is held against them. */
  readonly tensors: ReadonlySet<string> | null
  /** What is left to do at the depth that was asked for; null when nothing is. */
  readonly rest: Rest | null
  /** Null where its bytes could not be looked at, or are an archive's of files. */
  readonly kind: Kind | null
}

/** A file that is still to be read through, together with others. */
export interface Rest {
  /** Relative to the checkpoint. */
  readonly name: string
  readonly sweep: Sweep
  /** What the sweep's answer tells of the file. */
  readonly judge: (answer: Result<SweepSums>) => Finding[]
}

/** Bytes of a JSON file that is parsed whole; of a longer one only its two ends are looked at. */
const largestJson = { quick: 64 << 10, deep: 64 << 20 }

/**
 * Looks into a file that is not empty. What is broken comes back as findings, never as an exception; `interrupted`
 * is the one CkptError that is thrown.
 */
export async function inspectFile(
  storage: ReadStorage,
  file: MeasuredFile,
  around: Surroundings,
  options: InspectOptions,
): Promise<Inspected> {
  try {
    const handle = await storage.open(file.path, longHead)
    try {
      const tell = (what: string) => storage.custody.warn(`${file.path} ${what}`)
      return (
        inspectHead(handle, file, around, options) ?? (await inspectOpen(storage, handle, file, around, options, tell))
      )
    } finally {
      await handle.close()
    }
  } catch (error) {
    const finding = toFinding(error, file.name)
    return { findings: [finding], tensors: null, rest: null, kind: null }
  }
}

async function inspectOpen(
  storage: ReadStorage,
  handle: ReadHandle,
  file: MeasuredFile,
  around: Surroundings,
  options: InspectOptions,
  tell: MemberLook['tell'],
): Promise<Inspected> {
  const { unpacking = UnpackingBudget.forPickles() } = options
  const inspected = await inspectHandle(handle, file, around, { ...options, unpacking, tell, isMember: false })
  if (around.isAlone && around.isParameter) {
    await refuseZeroTail(sourceOf(handle), await checkTensors(storage, file.path), around)
  }
  if (!isOnnx(file.name)) return inspected
  return { ...inspected, findings: await findMissingData(storage, file.path, file.name) }
}

/**
 * What the first bytes tell of a file of which nothing else is looked at, as of most: tens of thousands of them wait for
 * nothing more. Null where more must be read, or the first bytes were not read with the opening.
 */
function inspectHead(
  { head, size }: ReadHandle,
  { name, path }: MeasuredFile,
  around: Surroundings,
  { level, signal }: InspectOptions,
): Inspected | null {
  const { isAlone } = around
  if (head === undefined || isAlone || signal?.aborted === true || isOnnx(name)) return null
  refuseStandIn(name, head, { isAlone, size })
  if (findPackedPickle(name, head) !== null || isUnpackable(head) || isPacked(name, head)) return null
  if (holdsMembers(name, head) || checkFor(name, head) !== null) return null
  const kind = kindOf(name, head.subarray(0, headLength), size)
  if (!(kind === 'text' || kind === 'index' || (kind === 'opaque' && !around.isNeverEmpty))) return null
  if (mayBePickle(kind, name, head, size) && isWorthReading(head)) return null
  return { findings: [], tensors: null, rest: level === 'deep' ? restOf(name, path, size, []) : null, kind }
}

function toFinding(error: unknown, file: string): Finding {
  if (error instanceof StorageError) {
    if (isAbsence(error.errno)) return { grade: 'partial', file, reason: 'vanished while it was looked at' }
    const grade = isUnreadable(error.errno) ? 'unreadable' : 'corrupt'
    return { grade, file, reason: `cannot be read: ${reasonOf(error)}` }
  }
  if (error instanceof FormatError) return { grade: 'corrupt', file, reason: error.message }
  throw error
}

interface Look extends InspectOptions, Pick<MemberLook, 'tell'> {
  readonly unpacking: UnpackingBudget
  /** Of another file: archives that it may be are not looked into, which could hold others without an end. */
  readonly isMember: boolean
}

async function inspectHandle(
  handle: ReadHandle,
  { name, path }: Pick<MeasuredFile, 'name' | 'path'>,
  around: Surroundings,
  options: Look,
): Promise<Inspected> {
  const source = untilAborted(sourceOf(handle), options.signal)
  const head = await source.read(0, longHead)
  refuseStandIn(name, head, { isAlone: around.isAlone, size: handle.size })
  const packing = findPackedPickle(name, head)
  if (packing !== null) options.tell(`is compressed with ${packing}, as joblib and pandas do, and was not looked into`)
  if (isUnpackable(head)) await refuseUnsafePacked(source, head, options)
  if (isPacked(name, head) || holdsMembers(name, head)) {
    const findings = await inspectArchive(handle, source, isPacked(name, head), name, options)
    const rest = options.level === 'deep' ? restOf(name, path, handle.size, []) : null
    return { findings, tensors: null, rest, kind: null }
  }
  const kind = kindOf(name, head.subarray(0, headLength), handle.size)
  if (mayBePickle(kind, name, head, handle.size)) await refuseUnsafeFile(source, head, options)
  await checkFor(name, head)?.(source)
  const tensors = kind === 'safetensors' ? await inspectSafetensors(source, around) : null
  const stored = kind === 'zip' ? await inspectZip(source, around, options) : []
  if (kind === 'legacy') await inspectLegacy(source, around, options)
  else if (kind === 'json') await inspectJson(source, options)
  else if (kind === 'pickle') await inspectPickleEnd(source)
  else if (kind === 'msgpack') await checkMsgpack(source)
  else if (kind === 'opaque' && around.isNeverEmpty) await refuseZeros(source)
  if (kind === 'opaque' && around.isAlone) await refuseUnknownBytes(name, head, source)
  const rest = options.level === 'deep' ? restOf(name, path, handle.size, stored) : null
  return { findings: [], tensors, rest, kind }
}

async function inspectArchive(
  handle: ReadHandle,
  source: ByteSource,
  isOnePacked: boolean,
  name: string,
  options: Look,
): Promise<readonly Finding[]> {
  if (options.isMember) {
    options.tell(`holds the archive ${JSON.stringify(name)}, which was not looked into`)
    return []
  }
  const inspect: MemberLook['inspect'] = async (member, { name }) => {
    await inspectHandle(member, { name, path: handle.path }, byItself, { ...options, level: 'quick', isMember: true })
    if (options.level === 'deep') await compareChecksums(sourceOf(member))
  }
  const look = { inspect, tell: options.tell }
  return isOnePacked ? inspectPacked(handle, source, name, options.level, look) : inspectTar(handle, source, name, look)
}

const byItself: Surroundings = {
  commonSize: async () => null,
  endInZeros: async () => null,
  isParameter: true,
  isNeverEmpty: false,
  isAlone: true,
}

/** Of a zip archive within another file. */
async function compareChecksums(source: ByteSource): Promise<void> {
  if (kindOf('', await source.read(0, headLength), source.byteLength) !== 'zip') return
  const archive = await readZip(source)
  const checksum = hasChecksums(archive)
  for (const entry of archive.entries) await checkEntry(source, archive, entry, { checksum })
}

/** The opcode STOP, which ends every pickle. */
const stopOpcode = 0x2e

/** Looks at the last byte alone: one that was cut ends within something else, but for one cut in 256. */
async function inspectPickleEnd(source: ByteSource): Promise<void> {
  const [last] = await source.read(source.byteLength - 1, 1)
  if (last === stopOpcode) return
  throw new FormatError(`ends early: a pickle of ${source.byteLength} bytes that does not end with STOP`, {
    offset: source.byteLength,
  })
}

/** Gives the names of its tensors. */
async function inspectSafetensors(source: ByteSource, around: Surroundings): Promise<ReadonlySet<string>> {
  const prefix = await source.read(0, prefixLength)
  const header = await source.read(prefixLength, readHeaderLength(prefix, source.byteLength))
  const { tensors } = parseHeader(header, source.byteLength)
  await refuseZeroTail(
    source,
    tensors.map((tensor) => extentOf(tensor, tensor)),
    around,
  )
  return new Set(tensors.map((tensor) => tensor.name))
}

/** Zeros to the end that begin as no value does, where the other checkpoints have none, were never written. */
async function refuseZeroTail(source: ByteSource, parts: readonly Extent[], around: Surroundings): Promise<void> {
  const start = parts.length === 0 ? null : await findZeroTail(source)
  if (start === null || !areUnwritten(parts, start)) return
  const unwritten = 'they were never written (power failure, full disk)'
  const where = `bytes ${start} to ${source.byteLength}, its end, are all zero`
  if (around.isAlone) {
    if ((source.byteLength - start) * leastPart < source.byteLength) return
    throw new FormatError(`${where}, from amid a tensor on, as where ${unwritten}`, { offset: start })
  }
  if ((await around.endInZeros()) !== false) return
  throw new FormatError(`${where}, and the other checkpoints do not end so: ${unwritten}`, { offset: start })
}

/** Where nothing else tells, zeros at the end are reported from this part of a file on: unused rows are fewer. */
const leastPart = 8

/** Gives the entries whose checksums are to be held against the bytes. */
async function inspectZip(source: ByteSource, around: Surroundings, options: Look): Promise<LocatedEntry[]> {
  const archive = await readZip(source).catch(async (error: unknown) => {
    throw error instanceof ZipEndMissing ? await explainCut(source, around, error, 'no zip end record') : error
  })
  const pickle = await refuseUnsafeArchive(source, archive, options)
  if (pickle !== null) checkStoragesIn(archive, pickle.persistents)
  if (options.level === 'quick') return []
  const checksum = hasChecksums(archive)
  const located = await locateEntries(source, archive)
  for (const { entry } of located.filter(({ entry }) => entry.method === 'deflated')) {
    await checkEntry(source, archive, entry, {
      checksum,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  }
  return checksum ? located.filter(({ entry }) => entry.method === 'stored') : []
}

/** torch loads no file that lacks a storage, or a part of one (torch/serialization.py, `load_tensor`). */
function checkStoragesIn(archive: ZipArchive, persistents: readonly PickleReference[]): void {
  const folder = `${rootOf(archive) ?? ''}data/`
  const references = new StorageReferences((key) => archive.numberOf(folder, key))
  checkKnownStorages({ persistents, references, storages: { lengthOf: (number) => archive.sizeOf(number) } })
}

/** Every byte is read once, also where no checksum tells of it: a bad sector shows itself in no other way. */
function restOf(name: string, path: string, size: number, stored: readonly LocatedEntry[]): Rest {
  const ranges = stored.map(({ range }) => ({ position: range.offset, length: range.length }))
  return {
    name,
    sweep: { path, size, ranges, sha256: false },
    judge: (answer) => {
      if (!answer.ok) return [toFinding(answer.error, name)]
      const { crcs } = answer.value
      const wrong = stored.flatMap((one, index) => (crcs[index] === one.entry.crc32 ? [] : [{ one, sum: crcs[index] }]))
      const [first] = wrong
      if (first === undefined) return []
      const more = wrong.length > 1 ? `; so it is with ${wrong.length - 1} more of its ${stored.length} entries` : ''
      return [{ grade: 'corrupt', file: name, reason: checksumFault(first.one, first.sum ?? 0).message + more }]
    },
  }
}

/** The same, and its SHA-256; a file of which nothing is left to judge is read for that alone. */
export function withSum(name: string, path: string, size: number, rest: Rest | null): Rest {
  const { sweep, judge } = rest ?? { sweep: { path, size, ranges: [] }, judge: () => [] }
  return { name, sweep: { ...sweep, sha256: true }, judge }
}

async function inspectLegacy(source: ByteSource, around: Surroundings, options: InspectOptions): Promise<void> {
  const layout = await readLegacyLayout(source).catch(async (error: unknown) => {
    throw error instanceof PickleEndsEarly ? await explainCut(source, around, error, 'its header ends early') : error
  })
  if (source.byteLength < layout.expectedLength) {
    throw new FormatError(`killed while saving: ${source.byteLength} of ${layout.expectedLength} bytes`, {
      offset: source.byteLength,
    })
  }
  refuseUnsafe(layout.calls)
  const looked = options.level === 'deep' ? layout.storages : endsOf(layout.storages)
  for (const storage of looked) await checkCount(source, storage)
  await refuseZeroTail(source, layout.storages.map(storageExtent), around)
}

function storageExtent({ dtype, itemSize, offset, byteLength }: LegacyStorage): Extent {
  return extentOf({ dtype }, { begin: offset, end: offset + byteLength, itemSize })
}

function endsOf<T>(items: readonly T[]): T[] {
  return items.filter((_, index) => index === 0 || index === items.length - 1)
}

/** Before its elements each storage repeats their number. */
async function checkCount(source: ByteSource, { key, count, offset }: LegacyStorage): Promise<void> {
  const bytes = await source.read(offset - 8, 8)
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0, true)
  if (stored === BigInt(count)) return
  throw new FormatError(
    `storage ${key} begins with the count ${stored.toString()}, and ${count} elements are expected`,
    {
      offset: offset - 8,
    },
  )
}

/** Nothing in a zip that was cut tells its full length, but the same file elsewhere in the run often does. */
async function explainCut(
  source: ByteSource,
  around: Surroundings,
  cause: FormatError,
  sign: string,
): Promise<FormatError> {
  const common = await around.commonSize()
  const length = source.byteLength
  const zeros = cause instanceof ZipEndMissing && (common ?? length) >= length ? await findZeroTail(source) : null
  if (zeros !== null) {
    return new FormatError(`bytes ${zeros} to ${length}, its end, are all zero and were never written, ${sign}`, {
      cause,
    })
  }
  if (common !== null && common < length && (await endsAt(source, common))) {
    const more = `${length - common} bytes were appended to its ${common}`
    return new FormatError(`${more}, and a reader looks for the end record in the last ${tailLength} bytes alone`, {
      cause,
    })
  }
  if (common === null || common < length) {
    const isZip = cause instanceof ZipEndMissing
    return new FormatError(isZip ? await describeCut(source) : `killed while saving: ${length} bytes, ${sign}`, {
      cause,
    })
  }
  if (common === length) return new FormatError(`${sign}, in all its ${length} bytes`, { cause })
  return new FormatError(
    `killed while saving: ${length} of ${common} bytes (its length in the other checkpoints), ${sign}`,
    { cause },
  )
}

const titles = {
  zip: 'zip (torch)',
  legacy: 'torch',
  pickle: 'pickle',
  msgpack: 'msgpack',
  safetensors: 'safetensors',
  index: 'JSON',
  json: 'JSON',
} as const

async function refuseZeros(source: ByteSource): Promise<void> {
  if ((await findZeroTail(source)) !== 0) return
  throw new FormatError(`all its ${source.byteLength} bytes are zero: they were never written`, { offset: 0 })
}

/**
 * What is wrong with a file whose own bytes do not tell, where the other checkpoints agree on the kind `common`. It is
 * opened again only to tell zeros from others.
 */
export async function compareKind(
  storage: ReadStorage,
  { name, path }: MeasuredFile,
  kind: 'text' | 'opaque',
  common: Kind | null,
  isParameter: boolean,
): Promise<Finding[]> {
  if (common === null || common === 'opaque' || common === kind) return []
  try {
    if (kind === 'opaque' && common === 'text') await withFile(storage, path, (handle) => refuseZeros(sourceOf(handle)))
    // A log or a note is text in any encoding.
    if (common === 'text' && !isParameter) return []
    const as = common === 'text' ? 'as text' : `as a ${titles[common]} file`
    throw new FormatError(`does not begin ${as}, as it does in the other checkpoints`, { offset: 0 })
  } catch (error) {
    return [toFinding(error, name)]
  }
}

/** Text that begins with a bracket must end with its partner; whether all between is JSON, only a whole read tells. */
async function inspectJson(source: ByteSource, options: InspectOptions): Promise<void> {
  const first = firstSign(await source.read(0, headLength))
  const tail = await source.read(Math.max(0, source.byteLength - headLength), headLength)
  const partner = first === '{' ? '}' : first === '[' ? ']' : undefined
  if (partner !== undefined && lastSign(tail) !== partner) {
    throw new FormatError(
      `ends early: ${source.byteLength} bytes of JSON that begin with ${first ?? ''} and do not end with ${partner}`,
      { offset: source.byteLength },
    )
  }
  if (source.byteLength > largestJson[options.level]) return
  const bytes = await source.read(0, source.byteLength)
  if (!isJsonLines(bytes)) checkJson(bytes)
}

function firstSign(bytes: Uint8Array): string | undefined {
  return Buffer.from(bytes).toString('latin1').trimStart()[0]
}

function lastSign(bytes: Uint8Array): string | undefined {
  return Buffer.from(bytes).toString('latin1').trimEnd().at(-1)
}

/** Logs are named `.json` too and hold one value a line. */
function isJsonLines(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(0x0a)
  if (end <= 1) return false
  try {
    checkJson(bytes.subarray(0, end))
    return true
  } catch (error) {
    if (error instanceof CkptError) return false
    throw error
  }
}
