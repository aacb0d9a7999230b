/** Room on the disk for what a server sends. */
import { dirname } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'

/** Bytes between two looks at what is free. */
const stride = 64 << 20
/** Bytes that are left to others, where nobody says how much will come. */
const reserve = 512 << 20

export class Room {
  private looked = 0

  /** `path` (absolute) is where the bytes go; its folder is there. */
  constructor(
    private readonly storage: ReadStorage,
    private readonly path: string,
  ) {}

  /** Why there is no room for that many more bytes; null where there is, or where that is unknown. */
  async shortFor(bytes: number): Promise<string | null> {
    const free = await this.free()
    if (free === null || bytes <= free) return null
    return `${bytes} bytes are still to come, and ${free} are free where they go (${dirname(this.path)})`
  }

  /** Of what has no known size, `position` bytes have come. */
  async isUsedUp(position: number): Promise<boolean> {
    if (position - this.looked < stride) return false
    this.looked = position
    const free = await this.free()
    return free !== null && free < reserve
  }

  private async free(): Promise<number | null> {
    const [space] = await this.storage.space([dirname(this.path)])
    return space?.ok === true ? space.value.free : null
  }
}
