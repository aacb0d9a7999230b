/** Memory in place of time, where very much is held at once. */
import type { Storage } from '../core/storage/storage.js'

/** Bytes: what is taken apart into many small values has these sizes; larger files are mostly values of tensors. */
const [fewest, most] = [1 << 20, 1 << 24]

/** The same storage: `spare` is called for each file that may have very many small values in it. */
export function sparing(storage: Storage, spare: () => void): Storage {
  return {
    ...storage,
    open: async (path, head) => {
      const handle = await storage.open(path, head)
      if (handle.size >= fewest && handle.size <= most) spare()
      return handle
    },
  }
}
