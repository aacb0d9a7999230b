/**
 * Keras' `.keras`: a zip archive of the model's config and its weights, `model.weights.h5` as a rule
 * (keras/src/saving/saving_lib.py).
 */
import { FormatError } from '../../errors.js'
import { locateEntry, readSmallEntry, type ZipArchive, type ZipEntry } from '../../formats/archives/zip.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { openHdf5 } from './hdf5-file.js'
import type { TensorFile } from './tensor.js'
import { OwningWindow } from './window-handle.js'

const weightsName = /^model\.weights\.(h5|npz|json)$/
const largestFacts = 1 << 16

export function isKeras(archive: ZipArchive): boolean {
  return archive.find('config.json') !== undefined && weightsOf(archive) !== undefined
}

function weightsOf(archive: ZipArchive): ZipEntry | undefined {
  return archive.entries.find(({ name }) => weightsName.test(name))
}

/** Reads what describes the tensors. Throws FormatError; `refused` for weights in another form than HDF5. */
export async function openKeras(handle: ReadHandle, archive: ZipArchive): Promise<TensorFile> {
  const entry = weightsOf(archive)
  if (entry?.name !== 'model.weights.h5' || entry.method !== 'stored') {
    throw new FormatError(`a Keras archive whose ${entry?.name ?? 'weights'} are ${entry?.method ?? 'not there'}`, {
      code: 'refused',
      hint: 'unpack the archive, and name the file of weights in it',
    })
  }
  const source = sourceOf(handle)
  const { offset, length } = await locateEntry(source, archive, entry)
  const facts = archive.find('metadata.json')
  const metadata = new Map<string, string>()
  if (facts !== undefined && facts.size < largestFacts) {
    const text = Buffer.from(await readSmallEntry(source, archive, facts, largestFacts)).toString('utf8')
    for (const [, key = '', value = ''] of text.matchAll(/"(keras_version|date_saved)":\s*"([^"]*)"/g)) {
      metadata.set(key, value)
    }
  }
  return openHdf5(new OwningWindow(handle, offset, length), metadata)
}
