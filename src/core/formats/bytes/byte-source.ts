/** Something to read from, a file or bytes in memory. Offsets and lengths are bytes. */
export interface ByteSource {
  readonly byteLength: number
  /** `length` bytes from `offset`, fewer where the source ends. */
  read(offset: number, length: number): Promise<Uint8Array>
}

const blockSize = 1 << 14
/** Blocks that are remembered, the latest. */
const mostBlocks = 8

/** Those that are in blocks already. */
const blockwise = new WeakSet<ByteSource>()

/**
 * The same source, for many small reads near each other: each block is read once. A read of more than a block goes
 * through as it is.
 */
export function inBlocks(source: ByteSource): ByteSource {
  if (blockwise.has(source)) return source
  const same = readingBlocks(source)
  blockwise.add(same)
  return same
}

function readingBlocks(source: ByteSource): ByteSource {
  const blocks = new Map<number, Uint8Array>()
  const blockAt = async (index: number): Promise<Uint8Array> => {
    const known = blocks.get(index)
    if (known !== undefined) return known
    const bytes = await source.read(index * blockSize, blockSize)
    const [oldest] = blocks.keys()
    if (blocks.size >= mostBlocks && oldest !== undefined) blocks.delete(oldest)
    blocks.set(index, bytes)
    return bytes
  }
  return {
    byteLength: source.byteLength,
    read: async (offset, length) => {
      if (length > blockSize) return source.read(offset, length)
      const first = Math.floor(offset / blockSize)
      const start = offset - first * blockSize
      const head = await blockAt(first)
      if (start + length <= blockSize) return head.subarray(start, start + length)
      const tail = await blockAt(first + 1)
      return Buffer.concat([head.subarray(start), tail.subarray(0, start + length - blockSize)])
    },
  }
}
