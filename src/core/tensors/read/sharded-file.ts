/** A model in several files, and the index that says which has what (formats/safetensors/weight-map.ts). */
import { dirname, join } from 'node:path'
import { CkptError, FormatError, isAbsence } from '../../errors.js'
import { isBeside, largestIndex, readWeightMap, type WeightMap } from '../../formats/safetensors/weight-map.js'
import type { ReadHandle, ReadStorage, Stat } from '../../storage/storage.js'
import { headerFor } from './header.js'
import { ensureSame, readExactly } from './tensor.js'
import type { TensorData, TensorFile, TensorInfo } from './tensor.js'

/** Files that are held open at once; models have up to some two hundred. */
const mostShards = 4096

/**
 * Opens the index and all of its files; `openShard` opens one by its absolute path. Throws FormatError when the index
 * is none, names a file elsewhere, or a tensor that its file does not have; and what `openShard` throws.
 */
export async function openSharded(
  handle: ReadHandle,
  { storage, openShard }: { readonly storage: ReadStorage; readonly openShard: (path: string) => Promise<TensorFile> },
): Promise<TensorFile> {
  const stat = await handle.stat()
  const index = readWeightMap(await readIndex(handle))
  if (index.shards.size > mostShards) {
    throw new FormatError(`names ${index.shards.size} files, and at most ${mostShards} are opened`)
  }
  const open: TensorFile[] = []
  const shards = new Map<string, readonly string[]>()
  try {
    for (const [shard, named] of index.shards) {
      if (!isBeside(shard)) throw new FormatError(`names ${JSON.stringify(shard)}, which is not a file beside it`)
      const file = await openShard(join(dirname(handle.path), shard))
      open.push(file)
      const names = inGroups(file, named)
      requireTensors(file, shard, names)
      shards.set(shard, names)
    }
    return new ShardedFile(handle, stat, { ...index, shards }, open)
  } catch (error) {
    for (const file of open) await file.close().catch(() => undefined)
    throw await explain(error, storage, handle.path, [...index.shards.keys()])
  }
}

async function readIndex(handle: ReadHandle): Promise<Uint8Array> {
  if (handle.size > largestIndex) {
    throw new FormatError(`an index of ${handle.size} bytes, and at most ${largestIndex} are read`)
  }
  const bytes = new Uint8Array(handle.size)
  await readExactly(handle, bytes, 0)
  return bytes
}

/** Shards that are named; of the rest, only their count. */
const mostNamed = 8

/** A shard that is not there is a damage of the model, whose index is. */
async function explain(
  error: unknown,
  storage: ReadStorage,
  path: string,
  shards: readonly string[],
): Promise<unknown> {
  if (!(error instanceof CkptError) || error.code !== 'not-found') return error
  const stats = await storage.stat(shards.map((shard) => join(dirname(path), shard)))
  const absent = shards.filter((_, index) => {
    const stat = stats[index]
    return stat?.ok === false && isAbsence(stat.error.errno)
  })
  const more = absent.length > mostNamed ? ` and ${absent.length - mostNamed} more` : ''
  const what = absent.length === 1 ? 'a file that is' : `${absent.length} files that are`
  return new FormatError(`names ${what} not there: ${absent.slice(0, mostNamed).join(', ') || error.message}${more}`, {
    cause: error,
    hint: `compare with the index: ${path}`,
  })
}

/** Keras' index names groups of HDF5, `/layers/dense/vars`, whose datasets are meant. */
function inGroups({ format, tensors }: TensorFile, names: readonly string[]): readonly string[] {
  if (format !== 'hdf5') return names
  return names.flatMap((group) => {
    const within = tensors.filter(({ name }) => `/${name}`.startsWith(`${group}/`)).map(({ name }) => name)
    return within.length > 0 ? within : [group]
  })
}

function requireTensors(file: TensorFile, shard: string, names: readonly string[]): void {
  const here = new Set(file.tensors.map(({ name }) => name))
  const absent = names.filter((name) => !here.has(name))
  if (absent.length === 0) return
  throw new FormatError(
    `names ${absent.length} tensors in ${JSON.stringify(shard)} that it does not have, ${JSON.stringify(absent[0])} first`,
  )
}

interface Owned {
  readonly tensor: TensorInfo
  readonly file: TensorFile
  readonly original: TensorInfo
}

class ShardedFile implements TensorFile {
  readonly format = 'sharded'
  readonly shardFormat: string | undefined
  readonly path: string
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly TensorInfo[]
  readonly values = null
  readonly findings: readonly string[]
  readonly unsafe: readonly string[]
  readonly opaque: ReadonlyMap<string, number>
  private readonly owned: ReadonlyMap<string, Owned>

  constructor(
    private readonly handle: ReadHandle,
    private readonly opened: Stat,
    index: WeightMap,
    private readonly files: readonly TensorFile[],
  ) {
    this.path = handle.path
    this.shardFormat = files[0]?.format
    this.byteLength = files.reduce((sum, file) => sum + file.byteLength, handle.size)
    this.metadata = new Map(files.flatMap((file) => [...file.metadata]))
    const listed = listTensors(index, files)
    const owned = withNoted(listed.tensors, this.metadata)
    this.owned = new Map(owned.map((one) => [one.tensor.name, one]))
    this.tensors = owned.map(({ tensor }) => tensor)
    this.findings = [...listed.findings, ...files.flatMap((file) => withName(file, file.findings))]
    this.unsafe = files.flatMap((file) => withName(file, file.unsafe))
    this.opaque = sumOf(files)
  }

  head(): Uint8Array {
    return headerFor(this)
  }

  async dataOf(tensor: TensorInfo): Promise<TensorData> {
    const { file, original } = this.ownedOf(tensor)
    return file.dataOf(original)
  }

  locationOf(tensor: TensorInfo): string | undefined {
    const { file, original } = this.ownedOf(tensor)
    const location = file.locationOf?.(original)
    return location === undefined ? undefined : `${file.path} ${location}`
  }

  private ownedOf({ name }: TensorInfo): Owned {
    const owned = this.owned.get(name)
    if (owned === undefined) throw new RangeError(`${this.path} has no tensor ${name}`)
    return owned
  }

  async ensureUnchanged(): Promise<void> {
    await ensureSame(this.handle, this.opened)
    for (const file of this.files) await file.ensureUnchanged()
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close()
    await this.handle.close()
  }
}

/** Only what the index says counts: readers go by it, and an older shard can hold what is no longer meant. */
function listTensors(
  { shards }: WeightMap,
  files: readonly TensorFile[],
): { tensors: readonly Owned[]; findings: readonly string[] } {
  const tensors: Owned[] = []
  const findings: string[] = []
  for (const [index, [shard, names]] of [...shards].entries()) {
    const file = files[index]
    if (file === undefined) continue
    const wanted = new Set(names)
    for (const tensor of file.tensors) if (wanted.has(tensor.name)) tensors.push({ tensor, file, original: tensor })
    const extra = file.tensors.filter(({ name, noted }) => noted !== true && !wanted.has(name)).length
    if (extra > 0) findings.push(`${extra} tensors of ${shard} are not in the index, and no reader takes them`)
  }
  return { tensors, findings }
}

/** The index lists the names that have data. Each shard's notes give further ones, of tensors in any shard. */
function withNoted(listed: readonly Owned[], metadata: ReadonlyMap<string, string>): Owned[] {
  const byName = new Map(listed.map((one) => [one.tensor.name, one]))
  const noted = [...metadata].flatMap(([name, shared]): Owned[] => {
    const kept = byName.get(shared)
    if (kept === undefined || name === 'format' || byName.has(name)) return []
    return [{ ...kept, tensor: { ...kept.tensor, name, shared, noted: true } }]
  })
  const kept = new Set(noted.map(({ tensor }) => tensor.shared))
  const marked = listed.map((one): Owned => {
    const { name } = one.tensor
    return kept.has(name) ? { ...one, tensor: { ...one.tensor, shared: name } } : one
  })
  return [...marked, ...noted]
}

function withName({ path }: TensorFile, findings: readonly string[]): string[] {
  return findings.map((finding) => `${path}: ${finding}`)
}

function sumOf(files: readonly TensorFile[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const { opaque } of files) for (const [name, count] of opaque) sum.set(name, (sum.get(name) ?? 0) + count)
  return sum
}
