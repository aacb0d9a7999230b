/** Files of tensors: streamed into new files that appear under their names whole, or not at all. */
import { basename, dirname, extname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import { formatHeader, type Dtype, type Shape } from '../../formats/safetensors.js'
import { hasTorchDtype, pickleStateDict } from '../../formats/state-dict-pickle.js'
import { archiveEnd, recordHeader, recordTrailer, type ClosedRecord } from '../../formats/torch-archive.js'
import type { Stat, Storage, WriteHandle } from '../../storage/storage.js'
import type { Extent } from '../read/tensor.js'
import { findEarlier } from './existing-output.js'
import { Pace, type LongWork } from './long-work.js'
import { ensurePlaceable, place, temporaryPath } from './publish-file.js'
import { replaceShards, type NewShards } from './replace-shards.js'
import { formatIndex, indexPath, shardPath, splitIntoShards } from './shards.js'
import { FileSink, SummingSink, type Sink } from './sink.js'

export interface OutputTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
  /** Bytes of all elements. */
  readonly bytes: number
  /** Of torch: another tensor, in whose storage this one lies whole. */
  readonly tiedTo?: string
  /** Gives exactly that many. */
  readonly pour: (sink: Sink) => Promise<void>
}

export type OutputFormat = 'safetensors' | 'torch'

export interface Output {
  /** Absolute. */
  readonly path: string
  readonly format: OutputFormat
  /** In the order that they shall have. */
  readonly tensors: readonly OutputTensor[]
  /** Of safetensors; torch has no place for it. */
  readonly metadata: ReadonlyMap<string, string>
  /** A header of just these tensors, which is then kept to the byte. */
  readonly head?: Extent | Uint8Array | undefined
  /** Bytes of tensors in each file; one file when left out. */
  readonly shardSize?: number | undefined
}

export interface WriteOptions extends LongWork {
  /** Replaces what is at the output. */
  readonly force?: boolean
  /** Told, before anything is written, of files that go because nothing would name them any more: absolute paths. */
  readonly onOutdated?: ((paths: readonly string[]) => void) | undefined
  /** Throws when what the values come from is not what it was. Called once all is written, before it gets its names. */
  readonly verify?: () => Promise<void>
}

export interface WrittenOutput {
  /** What to open: the file, or the index of several. */
  readonly path: string
  /** All files, absolute. */
  readonly files: readonly string[]
  /** Bytes of all of them. */
  readonly bytes: number
  /** Files of what was there before, with `force`: absolute paths. */
  readonly removed?: readonly string[]
  /** Of a clone: false where the file system could not share blocks, so that all was copied. */
  readonly sharesBlocks?: boolean
}

/** One file to be. */
interface Part {
  readonly path: string
  /** Bytes that progress counts. */
  readonly length: number
  /** Gives the file's length. */
  readonly fill: (handle: WriteHandle, pace: Pace) => Promise<number>
}

/**
 * Throws CkptError `refused` (something is at the output and `force` is not given; a dtype or a name that the format
 * does not have), `interrupted`, what `verify` throws, and StorageError. After an error nothing is there that was not
 * there before; but with `force`, of several files some may be new.
 */
export async function writeOutput(
  storage: Storage,
  output: Output,
  options: WriteOptions = {},
): Promise<WrittenOutput> {
  for (const tensor of output.tensors) ensureWritable(tensor, output.format)
  const parts = partsOf(output)
  const force = options.force ?? false
  // Of shards too: loaders would take the one file before them.
  for (const path of new Set([output.path, ...parts.map((part) => part.path)])) {
    await ensurePlaceable(storage, path, force)
  }
  const earlier = output.shardSize === undefined || !force ? null : await findEarlier(storage, output.path)
  const outdated = (earlier?.files ?? []).filter((path) => parts.every((part) => part.path !== path))
  if (outdated.length > 0) options.onOutdated?.(outdated)
  const pace = new Pace(
    parts.reduce((sum, { length }) => sum + length, 0),
    options,
  )
  const drafts = new Map<Part, string>()
  let bytes = 0
  try {
    await pace.advance(0)
    for (const part of parts) bytes += await draft(storage, part, drafts, pace, options)
    await options.verify?.()
    pace.ensureGoing()
    if (earlier !== null && parts.some(({ path }) => earlier.shards.has(path))) {
      await replaceShards(storage, newShards(drafts, output))
    } else await placeAll(storage, drafts, force)
  } catch (error) {
    for (const temporary of drafts.values()) await storage.unlink(temporary).catch(() => undefined)
    throw sayOf(drafts, error)
  }
  await removeOutdated(storage, output.path, outdated)
  return {
    path: parts.at(-1)?.path ?? output.path,
    files: parts.map(({ path }) => path),
    bytes,
    ...(outdated.length === 0 ? {} : { removed: outdated }),
  }
}

/** What is new has its names. The file goes before the index, and that before its shards: none names what is gone. */
async function removeOutdated(storage: Storage, output: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await storage.unlink(path).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error
      if (error.errno === 'ENOENT') return
      throw new StorageError(output, error.errno, `${output}: is written, but ${path} of the old one is still there`, {
        cause: error,
        hint: `Remove what is left of it: rm ${paths.slice(paths.indexOf(path)).join(' ')}`,
      })
    })
  }
  if (paths.length > 0) await storage.syncDirectory(dirname(output))
}

function newShards(drafts: ReadonlyMap<Part, string>, output: Output): NewShards {
  const named = [...drafts].map(([{ path }, draft]) => ({ path, draft }))
  const index = named.pop()
  if (index === undefined) throw new RangeError('there are no shards')
  const groups = splitIntoShards(output.tensors, output.shardSize ?? Infinity)
  const indexFor = (paths: readonly string[]) =>
    encodeIndex(groups.map((tensors, at) => ({ path: paths[at] ?? '', tensors })))
  return { index, shards: named, indexFor }
}

function encodeIndex(shards: Parameters<typeof formatIndex>[0]): Uint8Array {
  return new TextEncoder().encode(formatIndex(shards))
}

/** Throws CkptError `refused`. */
function ensureWritable({ name, dtype }: OutputTensor, format: OutputFormat): void {
  const lacks = (what: string) => new CkptError('refused', `${JSON.stringify(name.slice(0, 200))}: ${what}`)
  if (format === 'torch' && !hasTorchDtype(dtype)) throw lacks(`torch has no dtype ${dtype}`)
  if (format === 'safetensors' && name === '__metadata__') throw lacks('safetensors keeps this name for itself')
  // A lone half of a character, for which UTF-8 has no bytes.
  if (/\p{Cs}/u.test(name)) throw lacks('its name is no Unicode text')
}

/** What is tied across shards would need a storage in another file: there it lies by itself. */
function withoutTies(tensors: readonly OutputTensor[]): OutputTensor[] {
  return tensors.map(({ name, dtype, shape, bytes, pour }) => ({ name, dtype, shape, bytes, pour }))
}

function partsOf(output: Output): Part[] {
  const groups = output.shardSize === undefined ? [] : splitIntoShards(output.tensors, output.shardSize)
  if (groups.length < 2) return [partOf(output, output.path)]
  const shards = groups.map((tensors, index) => ({ path: shardPath(output.path, index, groups.length), tensors }))
  const index = encodeIndex(shards)
  return [
    ...shards.map(({ path, tensors }) => partOf({ ...output, tensors: withoutTies(tensors), head: undefined }, path)),
    { path: indexPath(output.path), length: index.length, fill: (handle, pace) => fillWith(index, handle, pace) },
  ]
}

function partOf({ format, tensors, metadata, head }: Output, path: string): Part {
  const length = tensors.reduce((sum, { bytes, tiedTo }) => sum + (tiedTo === undefined ? bytes : 0), 0)
  if (format === 'torch') return { path, length, fill: (handle, pace) => fillArchive(handle, pace, path, tensors) }
  const start = head ?? formatHeader(tensors, metadata)
  return {
    path,
    length: start.length + length,
    fill: async (handle, pace) => {
      const sink = new FileSink(handle, pace)
      if (start instanceof Uint8Array) await sink.write(start)
      else await sink.copy(start)
      for (const tensor of tensors) if (tensor.bytes > 0) await tensor.pour(sink)
      await sink.flush()
      return start.length + length
    },
  }
}

async function fillWith(bytes: Uint8Array, handle: WriteHandle, pace: Pace): Promise<number> {
  await handle.write(bytes)
  await pace.advance(bytes.length)
  return bytes.length
}

/** The records that every torch since 1.6 reads; their data in the order of their keys. */
async function fillArchive(
  handle: WriteHandle,
  pace: Pace,
  path: string,
  tensors: readonly OutputTensor[],
): Promise<number> {
  const root = archiveRoot(path)
  const sink = new SummingSink(handle, pace)
  const records: ClosedRecord[] = []
  const add = async (name: string, size: number, pour: () => Promise<void>): Promise<void> => {
    const record = { name: `${root}/${name}`, size, offset: sink.length }
    await sink.write(recordHeader(record))
    sink.begin()
    await pour()
    const closed = { ...record, crc32: sink.checksum }
    await sink.write(recordTrailer(closed))
    records.push(closed)
  }
  const addText = (name: string, bytes: Uint8Array) => add(name, bytes.length, () => sink.write(bytes))
  const encoder = new TextEncoder()
  const stored = tensors.filter(({ tiedTo }) => tiedTo === undefined)
  const keys = new Map(stored.map(({ name }, index) => [name, String(index)]))
  const pickled = tensors.map((tensor) => ({ ...tensor, storage: keys.get(tensor.tiedTo ?? tensor.name) ?? '' }))
  await addText('data.pkl', pickleStateDict(pickled))
  await addText('byteorder', encoder.encode('little'))
  for (const [index, tensor] of stored.entries()) {
    await add(`data/${index}`, tensor.bytes, async () => {
      if (tensor.bytes > 0) await tensor.pour(sink)
    })
  }
  await addText('version', encoder.encode('3\n'))
  await sink.write(archiveEnd(records, sink.length))
  await sink.flush()
  return sink.length
}

/** torch names an archive's folder after the file (torch/serialization.py, `_open_zipfile_writer_file`). */
function archiveRoot(path: string): string {
  const stem = basename(path, extname(path))
  return /^[\x20-\x7e]+$/.test(stem) && !/[\\/]/.test(stem) ? stem : 'archive'
}

/** Writes, syncs and closes one file under a temporary name. */
async function draft(
  storage: Storage,
  part: Part,
  drafts: Map<Part, string>,
  pace: Pace,
  options: WriteOptions,
): Promise<number> {
  const temporary = temporaryPath(part.path)
  drafts.set(part, temporary)
  const handle = await storage.create(temporary)
  try {
    const bytes = await part.fill(handle, pace)
    await handle.sync()
    await handle.close()
    return bytes
  } catch (error) {
    await handle.close().catch(() => undefined)
    // A read that failed because the file was cut off meanwhile: that is what to tell.
    if (error instanceof CkptError && !(error instanceof StorageError && error.path === temporary)) {
      if (error.code !== 'interrupted') await options.verify?.()
    }
    throw error
  }
}

/** In order, so that an index comes last; of several without `force` all or none stay. */
async function placeAll(storage: Storage, drafts: ReadonlyMap<Part, string>, force: boolean): Promise<void> {
  const begun: { path: string; draft: Stat }[] = []
  for (const [{ path }, temporary] of drafts) {
    const [stat] = await storage.lstat([temporary])
    if (stat?.ok !== true) throw stat?.error ?? new StorageError(temporary, 'ENOENT', `${temporary} is gone`)
    begun.push({ path, draft: stat.value })
    try {
      await place(storage, temporary, path, force)
    } catch (error) {
      if (!force && drafts.size > 1) for (const one of begun) await takeBack(storage, one.path, one.draft)
      throw error
    }
  }
}

/** Removes the name where it is that of our file, and not of one that came to be there meanwhile. */
async function takeBack(storage: Storage, path: string, draft: Stat): Promise<void> {
  const [found] = await storage.lstat([path])
  if (found?.ok !== true || found.value.device !== draft.device || found.value.inode !== draft.inode) return
  await storage.unlink(path).catch(() => undefined)
}

/** People know the output's name; the temporary one is gone when they read the message. */
function sayOf(drafts: ReadonlyMap<Part, string>, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error
  for (const [{ path }, temporary] of drafts) {
    if (error.path !== temporary) continue
    return new StorageError(path, error.errno, error.message.replaceAll(temporary, path), {
      cause: error,
      hint: error.hint === undefined ? 'Nothing was left there.' : `Nothing was left there; ${error.hint}`,
    })
  }
  return error
}
