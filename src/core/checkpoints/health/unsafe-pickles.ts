/**
 * What Python would run while it loads a file: a pickle by itself, those in an archive, and arrays of objects, which
 * numpy keeps as a pickle. Each throws FormatError for what no checkpoint needs.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../../formats/bytes/byte-source.js'
import { isNpy, mayHoldPickle, npyHeaderEnd } from '../../formats/numpy/npy.js'
import {
  auditPickle,
  isOfJoblib,
  isPickle,
  limitsFor,
  mayBeginPickle,
  PickleDoubtful,
  PickleEndsEarly,
  PickleUnfollowed,
  readAsJoblibDoes,
  readUntilItBreaks,
  type PickleCalls,
  type PickleLimits,
  type PickleSoFar,
  type Unpickled,
} from '../../formats/pickle/index.js'
import { unpackFirst } from '../../formats/compression/unpack-first.js'
import type { UnpackingBudget } from '../../formats/compression/unpacking-budget.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { isPlainBareStorage } from '../../formats/torch-storages/legacy.js'
import { readEntryHead, readSmallEntry, type ZipArchive, type ZipEntry } from '../../formats/archives/zip.js'
import type { Kind } from './file-kind.js'

export interface Audit {
  readonly level: 'quick' | 'deep'
  readonly unpacking: UnpackingBudget
  /** What to report of the file beside findings. */
  readonly tell: (what: string) => void
}

/** Bytes of pickles in a file that are looked into: that of a model of ten thousand tensors has 2 MB. */
const largestPickle = { quick: 16 << 20, deep: 64 << 20 }

/** Bytes that tell what a file is, tar's signature among them, which lies farthest in, at 257. */
export const longHead = 512

export function refuseUnsafe(calls: PickleCalls, what = 'its pickle'): void {
  const { unsafe } = auditPickle(calls, isPlainBareStorage)
  if (unsafe.length === 0) return
  throw new FormatError(`unsafe: ${what} ${unsafe.join(', ')}, which loading it with Python would run`)
}

/**
 * Refuses what calls something, and what Python would read on where ckpt stopped: nobody knows what it calls there. What
 * has a form that no pickler writes counts too, in what is a pickle.
 */
function refuseUnfollowed({ read, calls }: PickleSoFar, isPickle: boolean, what: string): void {
  refuseUnsafe(calls, what)
  if (!(read instanceof PickleUnfollowed || (isPickle && read instanceof PickleDoubtful))) return
  throw new FormatError(
    `unsafe: ${what} cannot be followed to its end, so what loading it would run is not known: ${read.message}`,
  )
}

/** Gives how far it was followed: by joblib's way where joblib is named, for bytes of its arrays lie between the opcodes. */
function refuseUnsafeReading(begun: PickleSoFar, bytes: Uint8Array, what: string, again: Again): PickleSoFar {
  const { isSure, limits } = again
  const isJoblib = isOfJoblib(begun.calls.globals)
  // Much that is no pickle begins as one without a head might, but calls nothing.
  refuseUnfollowed(begun, !isJoblib && (isSure || begun.calls.instances.length > 0), what)
  if (!isJoblib) return begun
  const followed = readAsJoblibDoes(bytes, limits)
  refuseUnfollowed(followed, true, what)
  return followed
}

interface Again {
  /** It is a pickle, whatever it begins with. */
  readonly isSure: boolean
  readonly limits?: PickleLimits
}

/** torch.load takes for a pickle all that is not a zip. Of texts one that calls something names it in two lines. */
export function mayBePickle(kind: Kind, name: string, head: Uint8Array, size: number): boolean {
  if (kind !== 'text') return kind === 'pickle' || kind === 'opaque' || kind === 'msgpack'
  if (textSuffixes.has(suffixOf(name))) return false
  return size > head.length || head.includes(newline, head.indexOf(newline) + 1)
}

/** Of what no loader takes for a pickle. */
const textSuffixes = new Set('yaml yml txt csv tsv log md toml ini cfg py sh'.split(' '))
const newline = 0x0a

/** False where `refuseUnsafeFile` reads nothing. */
export function isWorthReading(head: Uint8Array): boolean {
  return isNpy(head) || mayBeginPickle(head)
}

/** A file whose `head` is its first `longHead` bytes: an array, or whatever may be a pickle. */
export async function refuseUnsafeFile(source: ByteSource, head: Uint8Array, { level, tell }: Audit): Promise<void> {
  const part: Part = {
    size: source.byteLength,
    head,
    read: (length) => source.read(0, length),
    what: 'its pickle',
    tell,
  }
  const bytes = largestPickle[level]
  await refuseUnsafePart(part, { bytes, limits: limitsFor(Math.min(source.byteLength, bytes)) })
}

/**
 * What gzip or zlib packed as a whole: joblib and pandas unpack it, whatever its name, and read a pickle. Anything else may
 * begin so as well, and is left to others. `packed` are its first `longHead` bytes.
 */
export async function refuseUnsafePacked(source: ByteSource, packed: Uint8Array, audit: Audit): Promise<void> {
  if (!mayBeginPickle((await unpackFirst(source, packed, longHead)).bytes)) return
  const { bytes, ending } = await unpackFirst(source, packed, mostOf(source, 'deflated', audit))
  spend(source, 'deflated', audit, bytes.length)
  const head = bytes.subarray(0, longHead)
  const read = async (length: number) => bytes.subarray(0, length)
  const part: Part = { size: bytes.length, head, read, what: 'the pickle packed in it', tell: audit.tell }
  await refuseUnsafePart(part, { bytes: bytes.length, limits: limitsFor(bytes.length) })
  if (!isPickle(bytes)) return
  if (ending instanceof FormatError) throw ending
  if (ending === 'cut') {
    audit.tell(`holds a packed pickle, of which ${bytes.length} bytes were looked into for what loading it would run`)
  }
}

/** What is looked into: a file, or one in an archive. */
interface Part {
  readonly size: number
  readonly head: Uint8Array
  /** The first bytes. */
  readonly read: (length: number) => Promise<Uint8Array>
  /** In the words of a finding. */
  readonly what: string
  readonly tell: Audit['tell']
}

/** What may be spent on a part. */
interface Bounds {
  readonly bytes: number
  readonly limits: PickleLimits
}

/** How many bytes were read as a pickle, `bytes` at most, and what they came to, where all was read to its end. */
interface Looked {
  readonly bytes: number
  readonly pickle: Unpickled | null
}

const lookedAtNothing: Looked = { bytes: 0, pickle: null }

async function refuseUnsafePart(part: Part, bounds: Bounds): Promise<Looked> {
  return isNpy(part.head) ? refuseUnsafeArray(part, bounds) : refuseUnsafeBare(part, bounds)
}

/** An array of numbers runs nothing, and is not read. */
async function refuseUnsafeArray(part: Part, bounds: Bounds): Promise<Looked> {
  const { head, read } = part
  const start = npyHeaderEnd(head)
  if (!mayHoldPickle(start > head.length ? await read(start) : head.subarray(0, start))) return lookedAtNothing
  return refuseUnsafeFrom(part, start, bounds)
}

/**
 * What Python runs while it reads the bytes as a pickle, whatever their name is. Most are none, and break off within
 * their head; one of protocol 0 or 1 looks like text.
 */
async function refuseUnsafeBare(part: Part, bounds: Bounds): Promise<Looked> {
  const { size, head, what } = part
  if (!mayBeginPickle(head)) return lookedAtNothing
  const begun = readUntilItBreaks(head)
  const goesOn = begun.read instanceof PickleEndsEarly || isOfJoblib(begun.calls.globals)
  if (size > head.length && goesOn) return refuseUnsafeFrom(part, 0, bounds, isPickle(head))
  refuseUnsafeReading(begun, head, what, { isSure: isPickle(head) })
  return { bytes: head.length, pickle: null }
}

/** The pickle that begins at byte `start`. */
async function refuseUnsafeFrom(
  part: Part,
  start: number,
  { bytes: most, limits }: Bounds,
  isSure = true,
): Promise<Looked> {
  const { size, read, what, tell } = part
  const bytes = await read(Math.min(size, start + most))
  if (bytes.length <= start) return lookedAtNothing
  const isCut = bytes.length < size
  const pickle = bytes.subarray(start)
  const begun = refuseUnsafeReading(readUntilItBreaks(pickle, limits), pickle, what, { isSure, limits })
  if (isCut && begun.read instanceof PickleEndsEarly) {
    tell(
      `holds a pickle of ${size - start} bytes, of which ${pickle.length} were looked into for what loading it would run`,
    )
  }
  return { bytes: bytes.length, pickle: begun.read instanceof FormatError ? null : begun.read }
}

/**
 * torch's archives hold a pickle, numpy's one for each array of objects, and other programs read pickles of theirs from
 * archives as well: of torch's all that is no record of numbers is looked into, of others every entry. Gives torch's own
 * pickle, where it was read to its end.
 */
export async function refuseUnsafeArchive(
  source: ByteSource,
  archive: ZipArchive,
  audit: Audit,
): Promise<Unpickled | null> {
  const [root = ''] = archive.count === 0 ? [] : archive.entry(0).name.split('/', 1)
  const main = archive.find(`${root}/data.pkl`)
  // A TorchScript program is read by torch's own reader, which runs no Python.
  const isProgram = archive.find(`${root}/constants.pkl`) !== undefined
  const limits = limitsFor(Math.min(source.byteLength, largestPickle[audit.level]))
  let pickle: Unpickled | null = null
  if (main !== undefined && !isProgram) {
    const part = { ...(await partOf(source, archive, main, audit, readSmallEntry)), what: 'its pickle' }
    const looked = await refuseUnsafeFrom(part, 0, { bytes: mostOf(source, main.method, audit), limits })
    spend(source, main.method, audit, looked.bytes)
    pickle = looked.pickle
  }
  // Many small entries lie near each other.
  const near = archive.count > 100 ? inBlocks(source) : source
  let left = largestPickle[audit.level]
  for (const entry of main === undefined ? archive.entries : archive.unnumbered()) {
    const own = entry.name.startsWith(`${root}/`) ? entry.name.slice(root.length + 1) : ''
    if (entry.size === 0 || entry.name === main?.name || (isProgram && own !== '')) continue
    if (main !== undefined && ownRecord.test(own)) continue
    const bytes = Math.min(left, mostOf(source, entry.method, audit))
    const read = await refuseUnsafePart(await partOf(near, archive, entry, audit), { bytes, limits })
    spend(source, entry.method, audit, read.bytes)
    left -= read.bytes
    if (left <= 0) break
  }
  return pickle
}

/** A file is worth no more effort than its size: what is packed in it can be a thousand times as long. */
function mostOf(source: ByteSource, method: ZipEntry['method'], { level, unpacking }: Audit): number {
  const most = largestPickle[level]
  return method === 'stored' ? most : Math.min(most, unpacking.mostOf(source.byteLength))
}

function spend(source: ByteSource, method: ZipEntry['method'], { unpacking }: Audit, bytes: number): void {
  if (method !== 'stored') unpacking.spend(source.byteLength, bytes)
}

/** What torch itself puts beside its pickle: numbers, and a few words. */
const ownRecord = /^(?:data\/.*|version|byteorder|\.format_version|\.storage_alignment|\.data\/serialization_id)$/

async function partOf(
  source: ByteSource,
  archive: ZipArchive,
  entry: ZipEntry,
  { level, tell }: Audit,
  readAll = readEntryHead,
): Promise<Part> {
  const read = async (length: number): Promise<Uint8Array> => {
    const bytes = (length < entry.size ? readEntryHead : readAll)(source, archive, entry, length)
    return (await unlessDeep(level, bytes)) ?? new Uint8Array(0)
  }
  const what = `the pickle in its ${JSON.stringify(entry.name)}`
  return { size: entry.size, head: await read(longHead), read, what, tell }
}

/** Deep verification compares all checksums, and tells of all that differ. */
async function unlessDeep<T>(level: Audit['level'], bytes: Promise<T>): Promise<T | null> {
  return bytes.catch((error: unknown) => {
    if (level === 'deep' && error instanceof FormatError) return null
    throw error
  })
}
