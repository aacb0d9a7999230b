/** Zip archives of several programs, recognised by what is in them. */
import { readZip } from '../../formats/archives/zip.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { isKeras, openKeras } from './keras-file.js'
import { isNpz, openNpz } from './npy-file.js'
import type { TensorFile } from './tensor.js'
import { isStableBaselines, openStableBaselines } from './stable-baselines-file.js'
import { openTorchArchive } from './torch-zip.js'

/** A local header, as torch itself looks for one (torch/serialization.py, `_is_zipfile`). */
export function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4
}

/** Reads the directory of an open archive, and what describes its tensors. Throws FormatError. */
export async function openZip(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const archive = await readZip(sourceOf(handle))
  if (isNpz(archive)) return openNpz(handle, stat, archive)
  if (isKeras(archive)) return openKeras(handle, archive)
  if (isStableBaselines(archive)) return openStableBaselines(handle, archive)
  return openTorchArchive(handle, stat, archive)
}
