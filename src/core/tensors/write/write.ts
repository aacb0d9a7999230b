/** Writes files of tensors: each appears under its name whole, or not at all. */
import { addTo } from '../../grouped.js'
import { dirname, extname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import { formatHeader } from '../../formats/safetensors/safetensors.js'
import { hasTorchDtype } from '../../formats/torch/state-dict-pickle.js'
import type { Stat, Storage, WriteHandle } from '../../storage/storage.js'
import type { TensorLosses } from '../read/cast-losses.js'
import type { Extent } from '../read/tensor.js'
import { findEarlier } from './existing-output.js'
import { foreignFormatOfName, formatOfName, type OutputFormat } from './format-name.js'
import { ensureNothingLost, lossesOf } from './losses.js'
import { Pace, type LongWork } from './long-work.js'
import type { OutputTensor } from './output-tensor.js'
import { ensureCanPublish, publishFile, temporaryPath } from './publish-file.js'
import { replaceShards, type NewShards } from './replace-shards.js'
import { formatIndex, indexPath, pathOfIndex, shardPath, splitIntoShards, type Sized } from './shards.js'
import { FileSink } from './sink.js'
import { fillArchive, planArchive, type OutputStructure } from './torch-archive.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export interface Output {
  /** Absolute. */
  readonly path: string
  readonly format: OutputFormat
  /** In the order in which they are written. */
  readonly tensors: readonly OutputTensor[]
  /** Of safetensors; torch has no place for it. */
  readonly metadata: ReadonlyMap<string, string>
  /** The bytes of a header of exactly these tensors, which are written as they are. */
  readonly head?: Extent | Uint8Array | undefined
  /** Of torch, in one file: the object that holds the tensors; one state_dict when left out. */
  readonly structure?: OutputStructure | undefined
  /** Bytes of tensors in each file; one file when left out. */
  readonly shardSize?: number | undefined
}

export interface WriteOptions extends LongWork {
  /** Replaces what is at the output. */
  readonly force?: boolean
  /** Refuses what loses values in a cast. */
  readonly strictCast?: boolean
  /** Called before anything is written, with the absolute paths of files that go, as nothing will name them any more. */
  readonly onOutdated?: ((paths: readonly string[]) => void) | undefined
  /** Throws when the files that the values come from have changed. Called when all is written, before it gets its names. */
  readonly verify?: () => Promise<void>
}

export interface WrittenOutput {
  /** What to open: the file, or the index of several. */
  readonly path: string
  /** All files, absolute. */
  readonly files: readonly string[]
  /** Bytes of all of them. */
  readonly bytes: number
  /** What casts lost, by tensor; absent when nothing was. */
  readonly losses?: readonly TensorLosses[]
  /** True where what the model file has around its weights was written too. */
  readonly keepsSurroundings?: boolean
  /** Files of what was there before, with `force`: absolute paths. */
  readonly removed?: readonly string[]
  /** Of a clone: false where the file system could not share blocks, so that all was copied. */
  readonly sharesBlocks?: boolean
}

/** A file that is to be written. */
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
export async function writeOutput(storage: Storage, given: Output, options: WriteOptions = {}): Promise<WrittenOutput> {
  const output = withoutIndexName(given)
  for (const tensor of output.tensors) ensureWritable(tensor, output.format)
  const parts = partsOf(output)
  const force = options.force ?? false
  // Of shards too: loaders would take the one file before them.
  for (const path of new Set([output.path, ...parts.map((part) => part.path)])) {
    await ensureCanPublish(storage, path, force)
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
    if (options.strictCast === true) ensureNothingLost(lossesOf(output.tensors))
    pace.ensureGoing()
    if (earlier !== null && parts.some(({ path }) => earlier.shards.has(path))) {
      await replaceShards(storage, newShards(drafts, output))
    } else await publishAll(storage, drafts, force)
  } catch (error) {
    for (const temporary of drafts.values()) await storage.unlink(temporary).catch(() => undefined)
    throw sayOf(drafts, error)
  }
  await removeOutdated(storage, output.path, outdated)
  const losses = lossesOf(output.tensors)
  return {
    path: parts.at(-1)?.path ?? output.path,
    files: parts.map(({ path }) => path),
    bytes,
    ...(losses.length === 0 ? {} : { losses }),
    ...(output.structure === undefined ? {} : { keepsSurroundings: true }),
    ...(outdated.length === 0 ? {} : { removed: outdated }),
  }
}

/** Bytes of tensors in each file, where an index is asked for and no size is (transformers writes as much). */
const usualShard = 5e9

/** An output that is named as an index is written as shards with that index, however small it is. */
function withoutIndexName(output: Output): Output & { readonly hasIndex?: boolean } {
  const foreign = foreignFormatOfName(output.path)
  if (foreign !== null) {
    throw new CkptError(
      'usage',
      `${output.path}: is the name of a file of ${foreign}, and ${output.format} is written`,
      {
        hint: 'name it .safetensors or .pt',
      },
    )
  }
  const path = pathOfIndex(output.path)
  if (path === null) return withExtension(output)
  const said = formatOfName(path)
  if (said !== null && said !== output.format) {
    throw new CkptError('usage', `${output.path}: is the name of an index of ${said} files, not of ${output.format}`)
  }
  return { ...output, path, shardSize: output.shardSize ?? usualShard, hasIndex: true }
}

/** Loaders know shards by their extension: a name without one is given that of its format. */
function withExtension(output: Output): Output {
  if (/[A-Za-z]/.test(extname(output.path)) || groupsOf(output).length < 2) return output
  return { ...output, path: `${output.path}${output.format === 'torch' ? '.bin' : '.safetensors'}` }
}

/**
 * Called when the new files have their names. A lone file of weights goes first, then an index, then its shards, so that
 * no index names a shard that is gone.
 */
async function removeOutdated(storage: Storage, output: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await storage.unlink(path).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error
      if (error.errno === 'ENOENT') return
      throw new StorageError(output, error.errno, `${output}: is written, but ${path} of the old one is still there`, {
        cause: error,
        hint: `remove what is left of it: rm ${paths.slice(paths.indexOf(path)).map(quoteWord).join(' ')}`,
      })
    })
  }
  if (paths.length > 0) await storage.syncDirectory(dirname(output))
}

function newShards(drafts: ReadonlyMap<Part, string>, output: Output): NewShards {
  const named = [...drafts].map(([{ path }, draft]) => ({ path, draft }))
  const index = named.pop()
  if (index === undefined) throw new RangeError('there are no shards')
  const groups = groupsOf(output)
  const indexFor = (paths: readonly string[]) =>
    encodeIndex(groups.map((tensors, at) => ({ path: paths[at] ?? '', tensors: indexed(tensors, output.format) })))
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
  // A lone surrogate, which UTF-8 cannot express.
  if (/\p{Cs}/u.test(name)) throw lacks('its name is not Unicode text')
}

/** Tied tensors lie in one file; in torch's they all have their names in the index. */
function groupsOf({ tensors, shardSize }: Output): OutputTensor[][] {
  if (shardSize === undefined) return []
  const mates = new Map<string, OutputTensor[]>()
  for (const tensor of tensors) {
    if (tensor.tiedTo !== undefined) addTo(mates, tensor.tiedTo, tensor)
  }
  const stored = tensors.filter(({ tiedTo }) => tiedTo === undefined)
  const groups = splitIntoShards(stored, shardSize)
  return groups.map((group) => group.flatMap((tensor) => [tensor, ...(mates.get(tensor.name) ?? [])]))
}

/** The names that an index tells of; `total_size` counts what is tied once. */
function indexed(tensors: readonly OutputTensor[], format: OutputFormat): Sized[] {
  return tensors.flatMap(({ name, bytes, tiedTo }) => {
    if (tiedTo === undefined) return [{ name, bytes }]
    return format === 'torch' ? [{ name, bytes: 0 }] : []
  })
}

function partsOf(output: Output & { readonly hasIndex?: boolean }): Part[] {
  const groups = groupsOf(output)
  if (groups.length < 2 && output.hasIndex !== true) return [partOf(output, output.path)]
  const shards = groups.map((tensors, index) => ({ path: shardPath(output.path, index, groups.length), tensors }))
  const index = encodeIndex(shards.map(({ path, tensors }) => ({ path, tensors: indexed(tensors, output.format) })))
  return [
    ...shards.map(({ path, tensors }) => partOf({ ...output, tensors, head: undefined, structure: undefined }, path)),
    { path: indexPath(output.path), length: index.length, fill: (handle, pace) => fillWith(index, handle, pace) },
  ]
}

function partOf({ format, tensors: all, metadata, head, structure }: Output, path: string): Part {
  if (format === 'torch') {
    const archive = planArchive(all, structure)
    return { path, length: archive.length, fill: (handle, pace) => fillArchive(handle, pace, path, archive) }
  }
  const tensors = all.filter(({ tiedTo }) => tiedTo === undefined)
  const length = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
  const notes = all.flatMap(({ name, tiedTo }) => (tiedTo === undefined ? [] : [[name, tiedTo] as const]))
  const start = head ?? formatHeader(tensors, new Map([...metadata, ...notes]))
  return {
    path,
    length: start.length + length,
    fill: async (handle, pace) => {
      const sink = new FileSink(handle, pace)
      if (start instanceof Uint8Array) await sink.write(start)
      else await sink.copy(start)
      for (const tensor of tensors) if (tensor.bytes > 0) await tensor.writeTo(sink)
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
    // A read fails where the source was cut off meanwhile; `verify` then throws the error that says so.
    if (error instanceof CkptError && !(error instanceof StorageError && error.path === temporary)) {
      if (error.code !== 'interrupted') await options.verify?.()
    }
    throw error
  }
}

/** In order, so that an index comes last; of several without `force` all or none stay. */
async function publishAll(storage: Storage, drafts: ReadonlyMap<Part, string>, force: boolean): Promise<void> {
  const begun: { path: string; draft: Stat }[] = []
  for (const [{ path }, temporary] of drafts) {
    const [stat] = await storage.lstat([temporary])
    if (stat?.ok !== true) throw stat?.error ?? new StorageError(temporary, 'ENOENT', `${temporary} is gone`)
    begun.push({ path, draft: stat.value })
    try {
      await publishFile(storage, temporary, path, force)
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
      hint: error.hint === undefined ? 'nothing was left there' : `nothing was left there; ${error.hint}`,
    })
  }
  return error
}
