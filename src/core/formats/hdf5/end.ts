/** Where an HDF5 file ends, by its superblock (HDF5 File Format Specification 3.0, II.A). */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'

const magic = Buffer.from('894844460d0a1a0a', 'hex')

export function isHdf5(head: Uint8Array): boolean {
  return head[0] === magic[0] && head.length >= magic.length && magic.every((byte, index) => head[index] === byte)
}

/**
 * The byte at which HDF5 begins: 0, or behind a user block of 512, 1024, 2048 … bytes; null for a file that is none.
 */
export async function hdf5Start(source: ByteSource): Promise<number | null> {
  for (let at = 0; at + magic.length <= source.byteLength; at = Math.max(512, 2 * at)) {
    if (isHdf5(await source.read(at, magic.length))) return at
  }
  return null
}

/** Throws FormatError for a file that is shorter than its superblock says, or whose superblock is none. */
export async function checkHdf5End(source: ByteSource): Promise<void> {
  const start = await hdf5Start(source)
  if (start === null) throw new FormatError('does not begin as an HDF5 file', { offset: 0 })
  const block = Buffer.from(await source.read(start, 96))
  const version = block[8]
  // Versions 0 and 1 have counts before the addresses: base, free space, end of file. The others base, extension, end.
  const isOld = version === 0 || version === 1
  if (!isOld && version !== 2 && version !== 3) {
    throw new FormatError(`HDF5: the superblock has the version ${version ?? 'none'}`, { offset: 8 })
  }
  const width = block[isOld ? 13 : 9] ?? 0
  if (![2, 4, 8].includes(width)) throw new FormatError(`HDF5: addresses of ${width} bytes`, { offset: isOld ? 13 : 9 })
  const first = isOld ? (version === 0 ? 24 : 28) : 12
  if (block.length < first + 3 * width) throw early(source, first + 3 * width)
  const base = addressAt(block, first, width)
  const end = addressAt(block, first + 2 * width, width)
  if (end > source.byteLength) throw early(source, end, base)
}

function addressAt(block: Buffer, at: number, width: number): number {
  return width === 8 ? Number(block.readBigUInt64LE(at)) : block.readUIntLE(at, width)
}

function early({ byteLength }: ByteSource, end: number, base = 0): FormatError {
  const from = base === 0 ? '' : ` (from byte ${base} on)`
  return new FormatError(`ends early: ${byteLength} of ${end} bytes, as its HDF5 superblock says${from}`, {
    offset: byteLength,
  })
}
