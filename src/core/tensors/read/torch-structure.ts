/** What torch saved, as its pickle describes it: for those who write the same object with other tensors in it. */
import type { PickleNode, PickleReference } from '../../formats/pickle/index.js'
import type { StorageBytes } from './storage-bytes.js'

export interface TorchStructure {
  readonly root: PickleNode
  /** The node of each tensor, by the names of the file. */
  readonly nodes: ReadonlyMap<string, PickleNode>
  /** A storage that can be copied as it is; null for one that cannot. */
  readonly storageOf: (reference: PickleReference) => { readonly key: string; readonly bytes: StorageBytes } | null
}
