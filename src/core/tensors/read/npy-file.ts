/** NumPy's files: one array (`.npy`), or a zip archive of them (`.npz`). */
import { FormatError } from '../../errors.js'
import { arrayType, mayHoldPickle, npyHeaderEnd, npyPrefix, parseNpyHeader } from '../../formats/numpy/npy.js'
import { auditPickle, readCalls } from '../../formats/pickle/index.js'
import type { PyPair } from '../../formats/python/value.js'
import { readEntryHead, type ZipArchive } from '../../formats/archives/zip.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import { ListedFile, onlyFile, type ListedTensor } from './listed-file.js'
import { listArray } from './numpy-array.js'
import { bytesFrom, plainBytes, recordBytes, type StorageBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'

/** As numpy.savez calls an array that is given without a name. */
const unnamed = 'arr_0'

/** Reads the header of an open `.npy`. Throws FormatError; `refused` for an array that holds no numbers. */
export async function openNpy(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const bytes = plainBytes(handle, handle.size, async () => 0)
  const found = new Arrays()
  await found.add(unnamed, bytes, (length) => sourceOf(handle).read(0, length))
  const [array] = found.tensors
  const more = array === undefined ? 0 : handle.size - found.dataStart - array.bytes
  if (more > 0) found.findings.push(`${more} bytes follow the array`)
  return found.listed('npy', handle, stat)
}

/** True for an archive that numpy.savez wrote. */
export function isNpz(archive: ZipArchive): boolean {
  return archive.count > 0 && archive.entries.every(({ name }) => name.endsWith('.npy'))
}

/** Reads the headers of an archive's arrays. Throws as `openNpy` does. */
export async function openNpz(handle: ReadHandle, stat: Stat, archive: ZipArchive): Promise<TensorFile> {
  const source = sourceOf(handle)
  const found = new Arrays()
  for (const entry of archive.entries) {
    const name = entry.name.slice(0, -'.npy'.length)
    const bytes = recordBytes(handle, source, archive, entry)
    await found.add(name, bytes, (length) => readEntryHead(source, archive, entry, length))
  }
  return found.listed('npz', handle, stat)
}

/** Bytes of a pickle within an array that are looked at. */
const largestPickle = 1 << 24

class Arrays {
  readonly tensors: ListedTensor[] = []
  readonly findings: string[] = []
  private readonly others: PyPair[] = []
  private readonly unsafe: string[] = []
  /** Of the array that was added last. */
  dataStart = 0

  async add(name: string, bytes: StorageBytes, first: (length: number) => Promise<Uint8Array>): Promise<void> {
    const header = await first(npyHeaderEnd(await first(npyPrefix)))
    const { descr, shape, isFortran, dataStart } = parseNpyHeader(header)
    this.dataStart = dataStart
    const type = arrayType(descr)
    const data = bytesFrom(bytes, dataStart)
    if (type !== null) this.tensors.push(listArray({ name, type, shape, isFortran, bytes: data }))
    else this.addOther(name, descr, shape)
    if (mayHoldPickle(header)) await this.audit(name, data)
  }

  private addOther(name: string, descr: string, shape: readonly number[]): void {
    const repr = `<array of ${/(?:^|')[<>|=]?O\d?(?:'|$)/.test(descr) ? 'Python objects' : descr.slice(0, 80)} [${shape.join(', ')}]>`
    this.others.push([name, { kind: 'opaque', name: 'numpy.ndarray', repr }])
  }

  /** Objects are a pickle, which `numpy.load(allow_pickle=True)` would run. */
  private async audit(name: string, data: StorageBytes): Promise<void> {
    if (data.length > largestPickle) return
    for (const what of auditPickle(readCalls(await data.read(0, data.length))).unsafe) {
      this.unsafe.push(`the pickle in its array ${JSON.stringify(name)} ${what}: loading it with Python would run that`)
    }
  }

  listed(format: string, handle: ReadHandle, stat: Stat): ListedFile {
    const [other] = this.others
    if (this.tensors.length === 0 && other !== undefined && this.unsafe.length === 0) {
      const [name, value] = other
      const what = typeof value === 'object' && value?.kind === 'opaque' ? value.repr : ''
      throw new FormatError(`holds no array of numbers: ${JSON.stringify(name)} is ${what}`, {
        hint: 'arrays of objects are pickles: load it where it came from, and save its numbers by themselves',
        code: 'refused',
      })
    }
    return new ListedFile(onlyFile(handle, stat), {
      format,
      path: handle.path,
      byteLength: handle.size,
      tensors: this.tensors,
      values: this.others.length === 0 ? null : { kind: 'dict', pairs: this.others },
      findings: this.findings,
      unsafe: this.unsafe,
    })
  }
}
