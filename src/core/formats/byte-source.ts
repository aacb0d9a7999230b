/** Something to read from, a file or bytes in memory. Offsets and lengths are bytes. */
export interface ByteSource {
  readonly byteLength: number
  /** `length` bytes from `offset`, fewer where the source ends. */
  read(offset: number, length: number): Promise<Uint8Array>
}
