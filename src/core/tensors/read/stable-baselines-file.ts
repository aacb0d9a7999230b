/**
 * stable-baselines3's zip: what torch.save wrote lies in it as files of their own, the policy's weights in `policy.pth`
 * (stable_baselines3/common/save_util.py, `save_to_zip_file`).
 */
import { FormatError } from '../../errors.js'
import { locateEntry, type ZipArchive } from '../../formats/archives/zip.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import type { TensorFile } from './tensor.js'
import { openTorchZip } from './torch-zip.js'
import { OwningWindow } from './window-handle.js'

const weightsName = 'policy.pth'

export function isStableBaselines(archive: ZipArchive): boolean {
  return archive.find(weightsName) !== undefined && archive.find('_stable_baselines3_version') !== undefined
}

/** Reads what describes the policy's tensors. Throws FormatError; `refused` where it is packed within the archive. */
export async function openStableBaselines(handle: ReadHandle, archive: ZipArchive): Promise<TensorFile> {
  const entry = archive.find(weightsName)
  if (entry?.method !== 'stored') {
    throw new FormatError(`an archive of stable-baselines3 whose ${weightsName} is packed`, {
      code: 'refused',
      hint: `unpack the archive, and name ${weightsName}`,
    })
  }
  const { offset, length } = await locateEntry(sourceOf(handle), archive, entry)
  return openTorchZip(new OwningWindow(handle, offset, length))
}
