/** Files and folders of weights that lie by themselves, in no run: as checkpoints, so that they are graded as those. */
import { basename, dirname, extname } from 'node:path'
import {
  healthFrom,
  loneLayout,
  oneMember,
  type Checkpoint,
  type Member,
  type ParamFile,
  type Run,
} from '../../checkpoint.js'
import { CkptError, FormatError, StorageError } from '../../errors.js'
import { isNamelessStandIn } from '../../checkpoints/health/index.js'
import { explainTemporary } from '../../checkpoints/layouts/index.js'
import { isGzip } from '../../formats/compression/gzip.js'
import { isIndexName } from '../../formats/safetensors/weight-map.js'
import { isTensorFile, readShardPaths } from '../../tensors/read/index.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'

/** Something that is in no run, as the one checkpoint of one. */
export interface Lone {
  readonly run: Run
  readonly checkpoint: Checkpoint
}

/**
 * A file, `path` absolute; null for one that neither its name nor its bytes make one of weights. An index stands for the
 * files that it names too.
 */
export async function loneFile(storage: ReadStorage, path: string): Promise<Lone | null> {
  const meant = basename(path).replace(unfinished, '')
  const isNamed = weightsName.test(meant) || packedName.test(meant)
  if (!isNamed && !(await isTensorFile(storage, path)) && !(await isStandIn(storage, path))) return null
  if (isIndexName(path)) {
    const shards = await shardsThere(storage, path)
    const members = [path, ...shards].sort().map((one): Member => ({ path: one, kind: 'file' }))
    return asRun({ ...bare(path), path, kind: 'group', members, files: members.map((member) => fileAt(member)) })
  }
  const reason = explainTemporary(basename(path))
  const health = healthFrom('none', reason === null ? [] : [{ grade: 'unfinished', reason }])
  return asRun({ ...bare(path), ...oneMember(path, 'file'), files: [fileAt({ path })], health })
}

/** A folder of weights, such as a model of the hub; null for one without any. `path` is absolute. */
export async function loneFolder(storage: ReadStorage, path: string): Promise<Lone | null> {
  const [listed] = await storage.list([path])
  if (listed?.ok !== true) return null
  const folders = listed.value.filter(({ kind, name }) => kind === 'directory' && !name.startsWith('.'))
  const within = await storage.list(folders.slice(0, mostFolders).map(({ name }) => `${path}/${name}`))
  const found = within.flatMap((entries, index) =>
    entries.ok ? weightsIn(entries.value).map((name) => `${folders[index]?.name ?? ''}/${name}`) : [],
  )
  const names = [...weightsIn(listed.value), ...found]
  if (names.length === 0) return null
  const files = names.sort().map((name) => fileAt({ path: `${path}/${name}` }, name))
  return asRun({ ...bare(path), ...oneMember(path, 'directory'), files })
}

/**
 * What `open` gives; where it finds nothing and `path` (absolute) is a folder of weights, that. Throws as `open` does
 * where it is none. It is called `again` for a second look, which what it remembers of the first would spoil.
 */
export async function orLoneFolder<T>(
  storage: ReadStorage,
  path: string,
  open: (again: boolean) => Promise<T>,
): Promise<T | Lone> {
  try {
    return await open(false)
  } catch (error) {
    const lone = isNotFound(error) ? await loneFolder(storage, path) : null
    if (lone === null) throw error
    // Beside a trainer that keeps the last few, all that a slow look had listed may be gone: what is new is a run.
    return open(true).catch((again: unknown) => {
      if (!isNotFound(again)) throw again
      return lone
    })
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof CkptError && error.code === 'not-found'
}

/** Folders within that are looked into: a pipeline has some ten. */
const mostFolders = 64

const weightsName =
  /\.(?:safetensors|gguf|onnx|h5|hdf5|keras|pt|pth|ckpt|bin|npz|npy|nemo|msgpack|pdparams|pdckpt|distcp)(?:\.index\.json)?$|\.index\.json$/i

function weightsIn(entries: readonly DirectoryEntry[]): string[] {
  return entries.flatMap(({ name, kind }) => {
    const meant = name.replace(unfinished, '')
    return kind !== 'directory' && (weightsName.test(meant) || dcpMetadata.test(name)) ? [name] : []
  })
}

/** What a checkpoint of torch.distributed.checkpoint begins and ends with: its data can be what is gone. */
const dcpMetadata = /^(?:__\d+)?\.metadata$/

/** A blob of a download, without a name of its own, that is something else. */
async function isStandIn(storage: ReadStorage, path: string): Promise<boolean> {
  return isNamelessStandIn(basename(path), await headOf(storage, path, headLength))
}

/** Enough for a pointer and the beginning of a page. */
const headLength = 512

/** What weights are packed or kept in. */
const packedName = /\.(?:gz|tgz|pkl|pickle|joblib|json|pb|index)$/i

/**
 * Paths of the files of `checkpoint` that are packed with gzip, as their names say: sound as such, and taken by no loader
 * before they are unpacked. None of a checkpoint in a run, where hooks may do that.
 */
export async function findPacked(storage: ReadStorage, { layout, files }: Checkpoint): Promise<string[]> {
  if (layout !== loneLayout) return []
  const named = files.flatMap(({ path }) => (/\.(?:gz|tgz)$/i.test(path) ? [path] : []))
  const heads = await Promise.all(named.map((path) => headOf(storage, path, 2)))
  return named.filter((_, index) => isGzip(heads[index] ?? new Uint8Array(0)))
}

/** The first bytes, at most `length`; none of a file that cannot be read. */
async function headOf(storage: ReadStorage, path: string, length: number): Promise<Uint8Array> {
  try {
    return await withFile(storage, path, (handle) => sourceOf(handle).read(0, Math.min(length, handle.size)))
  } catch (error) {
    if (error instanceof StorageError) return new Uint8Array(0)
    throw error
  }
}

/** Endings that downloads have until they are whole. */
const unfinished = /\.(?:incomplete|part|partial|crdownload|tmp|aria2)$/

/** Of the files that an index names those that are there. */
async function shardsThere(storage: ReadStorage, path: string): Promise<string[]> {
  try {
    const shards = await readShardPaths(storage, path)
    const stats = await storage.stat(shards)
    return shards.filter((_, index) => stats[index]?.ok === true)
  } catch (error) {
    // Grading it reports that it cannot be read, or is not an index.
    if (error instanceof FormatError || error instanceof StorageError) return []
    throw error
  }
}

function asRun(checkpoint: Checkpoint): Lone {
  return { checkpoint, run: { path: checkpoint.run, checkpoints: [checkpoint] } }
}

function fileAt({ path }: { readonly path: string }, name = basename(path)): ParamFile {
  const role = isIndexName(path) ? 'index' : 'weights'
  return { key: name.slice(0, name.length - extname(name).length) || name, path, size: null, role }
}

/** A checkpoint of which nothing is known but its name. */
function bare(path: string): Omit<Checkpoint, 'path' | 'kind' | 'members' | 'files'> {
  return {
    name: basename(path),
    run: dirname(path),
    layout: loneLayout,
    meta: new Map(),
    step: null,
    epoch: null,
    unixtime: null,
    modified: null,
    size: null,
    health: healthFrom('none', []),
    pointsTo: [],
  }
}
