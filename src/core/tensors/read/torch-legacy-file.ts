/** The stream that torch.save wrote before 1.6 (see formats/torch-storages/legacy.ts). */
import { FormatError } from '../../errors.js'
import { readLegacyLayout, type LegacyStorage } from '../../formats/torch-storages/legacy.js'
import { checkStorages } from '../../formats/torch/missing-storages.js'
import { StorageReferences } from '../../formats/torch/tensor.js'
import type { ReadHandle } from '../../storage/storage.js'
import { sourceOf } from '../../storage/file-source.js'
import { plainBytes, type StorageBytes } from './storage-bytes.js'
import { readExactly } from './tensor.js'
import type { TensorFile } from './tensor.js'
import { openTorchContents, type TorchStorages } from './torch-file.js'

/** Of more storages the counts are compared when their bytes are wanted. */
const mostCompared = 1000

/** Reads the header of an open stream. Throws FormatError, also when the stream ends early. */
export async function openTorchLegacy(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const layout = await readLegacyLayout(sourceOf(handle))
  const { root, calls, persistents, expectedLength } = layout
  if (handle.size < expectedLength) {
    throw new FormatError(`ends early: ${handle.size} of ${expectedLength} bytes`, { offset: handle.size })
  }
  for (const storage of layout.storages.slice(0, mostCompared)) await checkCount(handle, storage)
  const extra = handle.size - expectedLength
  const storages = storagesOf(handle, layout.storages)
  const references = new StorageReferences(storages.numberOf)
  checkStorages({ persistents, references, storages })
  return openTorchContents(handle, stat, {
    format: 'torch-legacy',
    root,
    calls,
    persistents,
    references,
    littleEndian: true,
    storages,
    metadata: new Map(),
    findings: extra === 0 ? [] : [`${extra} bytes follow the last storage`],
    reread: async () => (await readLegacyLayout(sourceOf(handle))).root,
  })
}

function storagesOf(handle: ReadHandle, storages: readonly LegacyStorage[]): TorchStorages {
  const numbers = new Map(storages.map(({ key }, number) => [key, number]))
  const at = (number: number): LegacyStorage => {
    const storage = storages[number]
    if (storage === undefined) throw new RangeError(`${handle.path} has no storage number ${number}`)
    return storage
  }
  return {
    count: storages.length,
    numberOf: (key) => numbers.get(key) ?? -1,
    lengthOf: (number) => at(number).byteLength,
    get: (number) => bytesOf(handle, at(number)),
  }
}

function bytesOf(handle: ReadHandle, storage: LegacyStorage): StorageBytes {
  return plainBytes(handle, storage.byteLength, async () => {
    await checkCount(handle, storage)
    return storage.offset
  })
}

/** Before its elements each storage repeats their number. */
async function checkCount(handle: ReadHandle, { key, count, offset }: LegacyStorage): Promise<void> {
  const bytes = new Uint8Array(8)
  await readExactly(handle, bytes, offset - 8)
  const stored = new DataView(bytes.buffer).getBigInt64(0, true)
  if (stored === BigInt(count)) return
  throw new FormatError(
    `torch: storage ${JSON.stringify(key.slice(0, 80))} begins with the count ${stored.toString()}, and ${count} ` +
      'elements are expected',
    { offset: offset - 8 },
  )
}
