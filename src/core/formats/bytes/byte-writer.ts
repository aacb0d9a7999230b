/** Little-endian bytes being put together, growing as needed. */
export class ByteWriter {
  private bytes = new Uint8Array(256)
  private view = new DataView(this.bytes.buffer)
  length = 0

  u8(value: number): this {
    const at = this.grow(1)
    this.view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    const at = this.grow(2)
    this.view.setUint16(at, value, true)
    return this
  }

  u32(value: number): this {
    const at = this.grow(4)
    this.view.setUint32(at, value, true)
    return this
  }

  u64(value: number | bigint): this {
    const at = this.grow(8)
    this.view.setBigUint64(at, BigInt(value), true)
    return this
  }

  put(bytes: Uint8Array): this {
    const at = this.grow(bytes.length)
    this.bytes.set(bytes, at)
    return this
  }

  /** The same byte, `count` times. */
  fill(value: number, count: number): this {
    const at = this.grow(count)
    this.bytes.fill(value, at, at + count)
    return this
  }

  /** All so far. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  /** Room for that many; gives where it begins. It may give the bytes another home. */
  private grow(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.bytes.length))
      larger.set(this.bytes)
      this.bytes = larger
      this.view = new DataView(larger.buffer)
    }
    return at
  }
}
