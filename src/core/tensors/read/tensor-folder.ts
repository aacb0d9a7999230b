/** Folders whose files hold the tensors of one checkpoint together. */
import { isBeside } from '../../formats/safetensors/weight-map.js'
import type { ReadStorage } from '../../storage/storage.js'
import { dcpMetadataAmong, openDcpFolder } from './dcp-folder.js'
import { dcpPartsAmong, openDcpSafetensors } from './dcp-safetensors.js'
import { findOrbax, openOrbax } from './orbax-folder.js'
import type { TensorFile } from './tensor.js'
import { isUniversalFolder, openUniversalFolder } from './universal-folder.js'
import { isZeroFolder, openZeroFolder } from './zero-folder.js'

export interface TensorFolder {
  /** Absolute: the folder that the tensors lie in, which may be one in that which was asked about. */
  readonly path: string
  open(): Promise<TensorFile>
}

/** Null for a folder of another kind, and for what is not a folder. `path` is absolute. */
export async function findTensorFolder(storage: ReadStorage, path: string): Promise<TensorFolder | null> {
  const [listed] = await storage.list([path])
  if (listed?.ok !== true) return null
  const itself = folderOf(
    storage,
    path,
    listed.value.map(({ name }) => name),
  )
  if (itself !== null || listed.value.some(({ name }) => ownWeights.test(name))) return itself
  const orbax = await findOrbax(storage, path, new Set(listed.value.map(({ name }) => name)))
  if (orbax !== null) return { path: orbax, open: () => openOrbax(storage, orbax) }
  const folders = listed.value.flatMap(({ name, kind }) => (kind === 'directory' ? [name] : []))
  const tag = folders.length > 0 ? await readLatest(storage, path) : null
  return findWithin(storage, path, tag !== null && folders.includes(tag) ? [tag] : folders)
}

/** What a folder has weights in itself, whatever lies in the folders within. */
const ownWeights =
  /^(?:pytorch_model|model|adapter_model|diffusion_pytorch_model|consolidated|weights)\b.*\.(?:safetensors|bin|pt|pth|ckpt|json)$/

function folderOf(storage: ReadStorage, path: string, names: readonly string[]): TensorFolder | null {
  const dcp = dcpMetadataAmong(names)
  if (dcp !== undefined) return { path, open: () => openDcpFolder(storage, path, dcp) }
  if (isZeroFolder(names)) return { path, open: () => openZeroFolder(storage, path, names) }
  const parts = dcpPartsAmong(names)
  if (parts.length > 0) return { path, open: () => openDcpSafetensors(storage, path, parts) }
  if (isUniversalFolder(names)) return { path, open: () => openUniversalFolder(storage, path, names) }
  return null
}

/** No checkpoint has more folders than this. */
const mostFolders = 64

/** accelerate's `pytorch_model_fsdp_0` beside `optimizer_0`, NeMo's `weights`, DeepSpeed's tag in a folder of Lightning. */
async function findWithin(storage: ReadStorage, path: string, names: readonly string[]): Promise<TensorFolder | null> {
  const candidates = names.filter((name) => !/optim/i.test(name)).map((name) => `${path}/${name}`)
  if (candidates.length > mostFolders) return null
  const listed = await storage.list(candidates)
  const found = candidates.flatMap((folder, index) => {
    const entries = listed[index]
    const here =
      entries?.ok === true
        ? folderOf(
            storage,
            folder,
            entries.value.map(({ name }) => name),
          )
        : null
    return here === null ? [] : [here]
  })
  return found.length === 1 ? (found[0] ?? null) : null
}

/** The name of a folder beside it, as DeepSpeed finds its newest. */
async function readLatest(storage: ReadStorage, path: string): Promise<string | null> {
  const [read] = await storage.read([`${path}/latest`], 4096)
  const name = read?.ok === true ? new TextDecoder().decode(read.value).trim() : ''
  return name !== '' && isBeside(name) ? name : null
}
