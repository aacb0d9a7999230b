/** Folders whose files hold the tensors of one checkpoint together. */
import type { ReadStorage } from '../../storage/storage.js'
import { dcpMetadataName, openDcpFolder } from './dcp-folder.js'
import type { TensorFile } from './tensor.js'

export interface TensorFolder {
  /** Absolute: the folder that the tensors lie in, which may be one in that which was asked about. */
  readonly path: string
  open(): Promise<TensorFile>
}

/** Null for a folder of another kind, and for what is no folder. `path` is absolute. */
export async function findTensorFolder(storage: ReadStorage, path: string): Promise<TensorFolder | null> {
  const [listed] = await storage.list([path])
  if (listed?.ok !== true) return null
  const names = new Set(listed.value.map(({ name }) => name))
  if (names.has(dcpMetadataName)) return { path, open: () => openDcpFolder(storage, path) }
  return null
}
