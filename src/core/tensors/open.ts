import { CkptError } from '../errors.js'
import type { ReadHandle, ReadStorage } from '../storage/storage.js'
import { nameForeignFormat } from './foreign.js'
import { readExactly } from './tensor.js'
import type { TensorFile } from './tensor.js'
import { openSafetensors } from './safetensors-file.js'

/** A tensor format. To add one: its file, and a line in `formats`. */
interface TensorFormat {
  /** Whether a file of `size` bytes that begins with `head` can be one. */
  recognises(head: Uint8Array, size: number): boolean
  open(handle: ReadHandle): Promise<TensorFile>
}

const formats: readonly TensorFormat[] = [{ recognises: looksLikeSafetensors, open: openSafetensors }]

/** Enough for the signature that lies farthest in: tar's, at 257. */
const headLength = 512

/**
 * Opens a file of tensors, of a format told by its bytes and not by its name; reads its header only. `path` is
 * absolute. Throws StorageError, SafetensorsError (a file that is broken), and CkptError `usage` for a file of
 * another kind, which it names.
 */
export async function openTensors(storage: ReadStorage, path: string): Promise<TensorFile> {
  const handle = await storage.open(path)
  try {
    return await openHandle(handle)
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw error
  }
}

async function openHandle(handle: ReadHandle): Promise<TensorFile> {
  const head = new Uint8Array(Math.min(headLength, handle.size))
  await readExactly(handle, head, 0)
  const format = formats.find((one) => one.recognises(head, handle.size))
  if (format !== undefined) return format.open(handle)
  const foreign = nameForeignFormat(head)
  if (foreign !== undefined) {
    throw new CkptError('usage', `${handle.path}: this is ${foreign.title}, not a safetensors file`, {
      hint: foreign.hint,
    })
  }
  // Nothing known: as a safetensors file it is broken, and its reader says where.
  return openSafetensors(handle)
}

/** A length that the file can hold, then `{` or white space: no other signature below fits it. */
function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 9) return false
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true)
  if (length + 8n > BigInt(size)) return false
  return [0x7b, 0x20, 0x09, 0x0a, 0x0d].includes(head[8] ?? 0)
}
