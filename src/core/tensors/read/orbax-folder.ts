/**
 * Orbax's folders (orbax/checkpoint/_src/metadata/tree.py, serialization/type_handlers.py): `_METADATA` has the tree of
 * names, and each array is one of Zarr, in an OCDBT database or in a folder of its own.
 */
import { FormatError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../formats/text/json.js'
import { walk, type ByteRange } from '../../formats/tensorstore/ocdbt/b-tree.js'
import type { PickleNode } from '../../formats/pickle/index.js'
import type { PyPair } from '../../formats/python/value.js'
import { parseZarr2, parseZarr3, type ZarrArray } from '../../formats/tensorstore/zarr.js'
import { withFile, sourceOf } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import { barePartsOf } from './bare-parts.js'
import { FolderFiles } from './folder-file.js'
import { ListedFile, type ListedTensor } from './listed-file.js'
import { bytesFrom, heldBytes, plainBytes, type StorageBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'
import { listZarr } from './zarr-array.js'

const orbaxMetadata = '_METADATA'
const manifestName = 'manifest.ocdbt'
const largestMetadata = 1 << 28

/** Names of items, the surest first: a step's folder has one for each thing that was saved. */
const items = ['default', 'state', 'params', 'model', 'train_state']

/** The folder with the arrays, of one or of a step that has it as one of its items; null where there is none. */
export async function findOrbax(
  storage: ReadStorage,
  path: string,
  names: ReadonlySet<string>,
): Promise<string | null> {
  if (names.has(orbaxMetadata)) return path
  if (!names.has('_CHECKPOINT_METADATA')) return null
  const inner = [...names].filter((name) => !name.startsWith('_'))
  const found = await storage.stat(inner.map((name) => `${path}/${name}/${orbaxMetadata}`))
  const there = inner.filter((_, index) => found[index]?.ok === true)
  const item = items.find((name) => there.includes(name)) ?? there[0]
  return item === undefined ? null : `${path}/${item}`
}

/** Throws FormatError where the tree or an array is broken or not there. */
export async function openOrbax(storage: ReadStorage, folder: string): Promise<TensorFile> {
  const tree = await readTree(storage, folder)
  const store = (await openDatabase(storage, folder)) ?? (await openFolders(storage, folder, tree))
  try {
    const tensors: ListedTensor[] = []
    const others: PyPair[] = []
    for (const { name, valueType } of tree) {
      const array = empty.has(valueType) ? null : await arrayAt(store, name)
      if (array !== null) tensors.push(listZarr(name, array, (key) => store.read(`${name}/${key}`)))
      else if (!empty.has(valueType)) {
        if (valueType !== 'string')
          throw new FormatError(`${folder}: ${JSON.stringify(name)} is in its tree, and not there`)
        others.push([name, { kind: 'opaque', name: 'str', repr: '<a text>' }])
      }
    }
    return new ListedFile(store.files, {
      format: 'orbax',
      path: folder,
      byteLength: store.files.byteLength,
      tensors,
      values: others.length === 0 ? null : { kind: 'dict', pairs: others },
      parts: barePartsOf(
        nested(tree),
        tensors.map(({ name }) => name),
      ),
    })
  } catch (error) {
    await store.files.close()
    throw error
  }
}

/** Names of the arrays that the tree of a folder has, each of which has a folder or a key of that name. Throws FormatError. */
export async function listOrbaxArrays(storage: ReadStorage, folder: string): Promise<string[]> {
  const leaves = await readTree(storage, folder)
  return leaves.flatMap(({ name, valueType }) => (empty.has(valueType) || valueType === 'string' ? [] : [name]))
}

/** Kinds of values that nothing is saved of. */
const empty = new Set(['Dict', 'List', 'None', 'NamedTuple', 'Tuple', ''])

interface Leaf {
  readonly name: string
  readonly keys: readonly string[]
  readonly valueType: string
}

async function readTree(storage: ReadStorage, folder: string): Promise<Leaf[]> {
  const json = await readJson(storage, `${folder}/${orbaxMetadata}`)
  const tree = json.get('tree_metadata')
  if (!isJsonObject(tree)) throw new FormatError(`${folder}/${orbaxMetadata}: has no tree_metadata`)
  return [...tree.values()].map((leaf): Leaf => {
    const keys = keysOf(leaf)
    const value = isJsonObject(leaf) ? leaf.get('value_metadata') : undefined
    const valueType = isJsonObject(value) ? value.get('value_type') : undefined
    return { name: keys.join('.'), keys, valueType: typeof valueType === 'string' ? valueType : 'unknown' }
  })
}

function keysOf(leaf: JsonValue): string[] {
  const keys = isJsonObject(leaf) ? leaf.get('key_metadata') : undefined
  if (!Array.isArray(keys)) throw new FormatError(`${orbaxMetadata}: a leaf without key_metadata`)
  return (keys as readonly JsonValue[]).map((key) => {
    const text = isJsonObject(key) ? key.get('key') : undefined
    if (typeof text === 'string') return text
    throw new FormatError(`${orbaxMetadata}: a key that is not text`)
  })
}

async function readJson(storage: ReadStorage, path: string): Promise<JsonObject> {
  const json = parseJson(await readSmall(storage, path))
  if (isJsonObject(json)) return json
  throw new FormatError(`${path}: is not a JSON object`)
}

async function readSmall(storage: ReadStorage, path: string): Promise<Uint8Array> {
  return withFile(storage, path, async (handle) => {
    if (handle.size > largestMetadata)
      throw new FormatError(`${path}: ${handle.size} bytes, and ${largestMetadata} at most are read`)
    return sourceOf(handle).read(0, handle.size)
  })
}

/** Nested dicts, as the names lead to it; what lies in them is not looked at. */
function nested(tree: readonly Leaf[]): PickleNode {
  const root: Branch = { kind: 'dict', entries: [] }
  const known = new Map<string, Branch>([['', root]])
  for (const { keys } of tree) {
    let at = root
    for (const [index, key] of keys.entries()) {
      const path = JSON.stringify(keys.slice(0, index + 1))
      if (index === keys.length - 1) at.entries.push([key, null])
      else {
        let below = known.get(path)
        if (below === undefined) {
          below = { kind: 'dict', entries: [] }
          known.set(path, below)
          at.entries.push([key, below])
        }
        at = below
      }
    }
  }
  return root
}

interface Branch {
  readonly kind: 'dict'
  readonly entries: [key: string, value: PickleNode][]
}

interface ArrayStore {
  readonly files: FolderFiles
  read(key: string): Promise<StorageBytes | null>
}

async function arrayAt(store: ArrayStore, name: string): Promise<ZarrArray | null> {
  for (const [key, parse] of [
    ['.zarray', parseZarr2],
    ['zarr.json', parseZarr3],
  ] as const) {
    const value = await store.read(`${name}/${key}`)
    if (value === null) continue
    if (value.length > 1 << 20) throw new FormatError(`${name}/${key} has ${value.length} bytes`)
    return parse(await value.read(0, value.length))
  }
  return null
}

const deepestFolder = 32

/** Null where there is no manifest. */
async function openDatabase(storage: ReadStorage, folder: string): Promise<ArrayStore | null> {
  const [there] = await storage.stat([`${folder}/${manifestName}`])
  if (there?.ok !== true) return null
  const values = new Map<string, Uint8Array | ByteRange>()
  const manifest = await readSmall(storage, `${folder}/${manifestName}`)
  for await (const found of walk(manifest, (range) => readRange(storage, folder, range))) {
    if (found.kind === 'value') values.set(Buffer.from(found.key).toString('utf8'), ownBytes(found.value))
  }
  const names = new Set([...values.values()].flatMap((value) => ('file' in value ? [value.file] : [])))
  const files = await FolderFiles.look(storage, folder, [...names].map(requireBelow), manifestName)
  const read = async (key: string): Promise<StorageBytes | null> => {
    const value = values.get(key)
    if (value === undefined) return null
    if (!('file' in value)) return heldBytes(value)
    const { file, offset, length } = value
    if (offset + length > files.sizeOf(file)) {
      throw new FormatError(
        `${folder}/${file}: ${length} bytes from ${offset} on, and it ends at ${files.sizeOf(file)}`,
        {
          offset: files.sizeOf(file),
        },
      )
    }
    const handle = await files.handleOf(file)
    return bytesFrom(
      plainBytes(handle, offset + length, async () => 0),
      offset,
    )
  }
  return { files, read }
}

/** A small value without the node that it was in. */
function ownBytes(value: Uint8Array | ByteRange): Uint8Array | ByteRange {
  return value instanceof Uint8Array ? Uint8Array.from(value) : value
}

/** A path from the folder that leads nowhere else. */
function requireBelow(file: string): string {
  const parts = file.split('/')
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..') && !file.includes('\0')) return file
  throw new FormatError(`names ${JSON.stringify(file.slice(0, 200))}, which is not a file below it`)
}

async function readRange(storage: ReadStorage, folder: string, range: ByteRange): Promise<Uint8Array> {
  const { offset, length } = range
  const file = requireBelow(range.file)
  return withFile(storage, `${folder}/${file}`, async (handle) => {
    if (offset + length <= handle.size) return sourceOf(handle).read(offset, length)
    throw new FormatError(`${folder}/${file}: ${length} bytes from ${offset} on, and it ends at ${handle.size}`, {
      offset: handle.size,
    })
  })
}

/** Each array in a folder that has its name. */
async function openFolders(storage: ReadStorage, folder: string, tree: readonly Leaf[]): Promise<ArrayStore> {
  const found = new Set<string>()
  const folders = tree.map(({ name }) => requireBelow(name))
  const visit = async (paths: readonly string[], depth: number): Promise<void> => {
    if (depth > deepestFolder || paths.length === 0) return
    const listed = await storage.list(paths.map((path) => `${folder}/${path}`))
    const below: string[] = []
    for (const [index, path] of paths.entries()) {
      const entries = listed[index]
      if (entries?.ok !== true) continue
      for (const { name, kind } of entries.value) {
        if (kind === 'directory') below.push(`${path}/${name}`)
        else if (kind === 'file') found.add(`${path}/${name}`)
      }
    }
    await visit(below, depth + 1)
  }
  await visit(folders, 0)
  const files = await FolderFiles.look(storage, folder, [...found], orbaxMetadata)
  const read = async (key: string): Promise<StorageBytes | null> => {
    if (!found.has(key)) return null
    return plainBytes(await files.handleOf(key), files.sizeOf(key), async () => 0)
  }
  return { files, read }
}
