/**
 * What a torch archive that was cut still tells of its length. Its records lie one after another, the pickle first
 * (torch/serialization.py, `_save`); the pickle names every storage with its size, and the directory comes last.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { countOf, idOf, itemsOf, readPickle, textOf, type PickleReference } from '../pickle/index.js'
import { storageType } from '../torch-storages/classes.js'

/** That of a model of ten thousand tensors has less. */
const largestPickle = 1 << 22
const localHeader = 0x04034b50
const localHeaderSize = 30
const directoryHeaderSize = 46
const endSize = 22

/** `killed while saving: N of at least M bytes, no zip end record`, as far as M is known. */
export async function describeCut(source: ByteSource): Promise<string> {
  const least = await leastLength(source)
  const length = source.byteLength
  const of = least === null || least <= length ? '' : ` of at least ${least}`
  return `killed while saving: ${length}${of} bytes, no zip end record`
}

/** Bytes; null when too little is left of the pickle. */
async function leastLength(source: ByteSource): Promise<number | null> {
  try {
    const head = await source.read(0, Math.min(source.byteLength, localHeaderSize + largestPickle))
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    if (head.length < localHeaderSize || view.getUint32(0, true) !== localHeader) return null
    const nameEnd = localHeaderSize + view.getUint16(26, true)
    const name = new TextDecoder().decode(head.subarray(localHeaderSize, nameEnd))
    if (!name.endsWith('/data.pkl')) return null
    const { end, persistents } = readPickle(head, nameEnd + view.getUint16(28, true))
    const root = name.slice(0, -'data.pkl'.length)
    const records = [...storageSizes(persistents)].map(([key, size]) => {
      const { length } = new TextEncoder().encode(`${root}data/${key}`)
      return localHeaderSize + length + size + directoryHeaderSize + length
    })
    return records.reduce((sum, bytes) => sum + bytes, end + directoryHeaderSize + name.length + endSize)
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

/** Bytes by key: ids are `('storage', class, key, location, count of elements)`. */
function storageSizes(persistents: readonly PickleReference[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const persistent of persistents) {
    const [, type, key, , elements] = itemsOf(idOf(persistent)) ?? []
    const [itemSize, name, count] = [storageType(type)?.itemSize, textOf(key), countOf(elements)]
    if (itemSize !== undefined && name !== undefined && count !== undefined) sizes.set(name, count * itemSize)
  }
  return sizes
}
