/**
 * What Python would run while it loads a file: a pickle by itself, those in an archive, and arrays of objects, which
 * numpy keeps as a pickle. Each throws FormatError for what no checkpoint needs.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../../formats/byte-source.js'
import { isNpy, mayHoldPickle, npyHeaderEnd } from '../../formats/npy.js'
import {
  auditPickle,
  mayBeginPickle,
  PickleEndsEarly,
  readCalls,
  readUntilItBreaks,
  type PickleCalls,
} from '../../formats/pickle/index.js'
import { suffixOf } from '../../formats/suffix.js'
import { isPlainBareStorage } from '../../formats/torch-legacy.js'
import { readEntryHead, readSmallEntry, type ZipArchive, type ZipEntry } from '../../formats/zip.js'
import type { Kind } from './file-kind.js'

type Level = 'quick' | 'deep'

/** Bytes of pickles in a file that are looked into: that of a model of ten thousand tensors has 2 MB. */
const largestPickle = { quick: 4 << 20, deep: 64 << 20 }

/** Bytes that tell what a file is, tar's signature among them, which lies farthest in, at 257. */
export const longHead = 512

export function refuseUnsafe(calls: PickleCalls, what = 'its pickle'): void {
  const { unsafe } = auditPickle(calls, isPlainBareStorage)
  if (unsafe.length === 0) return
  throw new FormatError(`unsafe: ${what} ${unsafe.join(', ')}, which loading it with Python would run`)
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

/** A file whose `head` is its first `longHead` bytes: an array, or whatever may be a pickle. */
export async function refuseUnsafeFile(source: ByteSource, head: Uint8Array, level: Level): Promise<void> {
  const part: Part = { size: source.byteLength, head, read: (length) => source.read(0, length), what: 'its pickle' }
  await refuseUnsafePart(part, largestPickle[level])
}

/** What is looked into: a file, or one in an archive. */
interface Part {
  readonly size: number
  readonly head: Uint8Array
  /** The first bytes. */
  readonly read: (length: number) => Promise<Uint8Array>
  /** In the words of a finding. */
  readonly what: string
}

/** Gives how many bytes were read as a pickle, `most` at most. */
async function refuseUnsafePart(part: Part, most: number): Promise<number> {
  return isNpy(part.head) ? refuseUnsafeArray(part, most) : refuseUnsafeBare(part, most)
}

/** An array of numbers runs nothing, and is not read. */
async function refuseUnsafeArray({ size, head, read, what }: Part, most: number): Promise<number> {
  const start = npyHeaderEnd(head)
  if (!mayHoldPickle(start > head.length ? await read(start) : head.subarray(0, start))) return 0
  const bytes = await read(Math.min(size, start + most))
  refuseUnsafe(readCalls(bytes.subarray(start)), what)
  return bytes.length
}

/**
 * What Python runs while it reads the bytes as a pickle, whatever their name is. Most are none, and break off within
 * their head; one of protocol 0 or 1 looks like text.
 */
async function refuseUnsafeBare({ size, head, read, what }: Part, most: number): Promise<number> {
  if (!mayBeginPickle(head)) return 0
  const begun = readUntilItBreaks(head)
  if (!(begun.read instanceof PickleEndsEarly) || size <= head.length) {
    refuseUnsafe(begun.calls, what)
    return head.length
  }
  const bytes = await read(Math.min(size, most))
  refuseUnsafe(readCalls(bytes), what)
  return bytes.length
}

/**
 * torch's archives hold a pickle, numpy's one for each array of objects, and other programs read pickles of theirs from
 * archives as well: of torch's all that is no record of numbers is looked into, of others every entry.
 */
export async function refuseUnsafeArchive(source: ByteSource, archive: ZipArchive, level: Level): Promise<void> {
  const [root = ''] = archive.count === 0 ? [] : archive.entry(0).name.split('/', 1)
  const main = archive.find(`${root}/data.pkl`)
  // A TorchScript program is read by torch's own reader, which runs no Python.
  const isProgram = archive.find(`${root}/constants.pkl`) !== undefined
  if (main !== undefined && !isProgram && main.size <= largestPickle[level]) {
    const bytes = await unlessDeep(level, readSmallEntry(source, archive, main, largestPickle[level]))
    if (bytes !== null) refuseUnsafe(readCalls(bytes))
  }
  // Many small entries lie near each other.
  const near = archive.count > 100 ? inBlocks(source) : source
  let left = largestPickle[level]
  for (const entry of main === undefined ? archive.entries : archive.unnumbered()) {
    const own = entry.name.startsWith(`${root}/`) ? entry.name.slice(root.length + 1) : ''
    if (entry.size === 0 || entry.name === main?.name || (isProgram && own !== '')) continue
    if (main !== undefined && ownRecord.test(own)) continue
    left -= await refuseUnsafePart(await partOf(near, archive, entry, level), left)
    if (left <= 0) return
  }
}

/** What torch itself puts beside its pickle: numbers, and a few words. */
const ownRecord = /^(?:data\/.*|version|byteorder|\.format_version|\.storage_alignment|\.data\/serialization_id)$/

async function partOf(source: ByteSource, archive: ZipArchive, entry: ZipEntry, level: Level): Promise<Part> {
  const read = async (length: number): Promise<Uint8Array> =>
    (await unlessDeep(level, readEntryHead(source, archive, entry, length))) ?? new Uint8Array(0)
  const what = `the pickle in its ${JSON.stringify(entry.name)}`
  return { size: entry.size, head: await read(longHead), read, what }
}

/** Deep verification compares all checksums, and tells of all that differ. */
async function unlessDeep<T>(level: Level, bytes: Promise<T>): Promise<T | null> {
  return bytes.catch((error: unknown) => {
    if (level === 'deep' && error instanceof FormatError) return null
    throw error
  })
}
