/**
 * A file on its way: its bytes so far, and beside them `<path>.json` with what they are a part of. Bytes count once
 * they are on the medium, so that after a kill or a power failure the next call goes on from what is surely there.
 */
import { StorageError } from '../../errors.js'
import { readRecordOrNull, unlinkIfThere, writeRecord } from '../../changes/state/index.js'
import type { Storage, WriteHandle } from '../../storage/storage.js'

/** Bytes between two syncs: what a kill costs at most. */
const stride = 16 << 20

export class PartialFile {
  private handle: WriteHandle | null = null
  private durable: number

  private constructor(
    private readonly storage: Storage,
    readonly path: string,
    private written: number,
    private whole: string | null,
  ) {
    this.durable = written
  }

  /** Bytes that are there. */
  get position(): number {
    return this.written
  }

  /** Of the whole, for `If-Range` (RFC 9110 §13.1.5): a strong entity tag or a date; null when there is none. */
  get validator(): string | null {
    return this.whole
  }

  /** What an earlier call left, or an empty one. Changes nothing. */
  static async open(storage: Storage, path: string): Promise<PartialFile> {
    const record = await readRecordOrNull(storage, recordPath(path))
    const [stat] = await storage.lstat([path])
    const durable = record?.get('durable')
    const validator = record?.get('validator') ?? null
    const isThere = stat?.ok === true && stat.value.kind === 'file' && typeof durable === 'number'
    if (!isThere || stat.value.size < durable || (validator !== null && typeof validator !== 'string')) {
      return new PartialFile(storage, path, 0, null)
    }
    return new PartialFile(storage, path, durable, validator)
  }

  /** From the first byte, of a whole with this validator. */
  async restart(validator: string | null): Promise<void> {
    await this.discard()
    this.whole = validator
    this.handle = await this.storage.create(this.path)
    await this.keep()
  }

  async append(bytes: Uint8Array): Promise<void> {
    const handle = await this.open()
    await handle.write(bytes)
    this.written += bytes.length
    if (this.position - this.durable >= stride) await this.keep()
  }

  /** Nothing more comes for now; what is there is on the medium. */
  async close(): Promise<void> {
    if (this.handle === null) return
    try {
      if (this.position > this.durable) await this.keep()
    } finally {
      const { handle } = this
      this.handle = null
      await handle.close()
    }
  }

  async discard(): Promise<void> {
    const { handle } = this
    this.handle = null
    await handle?.close()
    await unlinkIfThere(this.storage, this.path)
    await this.forget()
    this.written = 0
    this.durable = 0
  }

  /** The bytes have got another name. */
  async forget(): Promise<void> {
    await unlinkIfThere(this.storage, recordPath(this.path))
  }

  private async open(): Promise<WriteHandle> {
    if (this.handle !== null) return this.handle
    const handle = await this.storage.amend(this.path)
    handle.moveTo(this.position)
    this.handle = handle
    return handle
  }

  private async keep(): Promise<void> {
    await this.handle?.sync()
    this.durable = this.position
    const { validator, durable } = this
    await writeRecord(this.storage, recordPath(this.path), { version: 1, validator, durable })
  }
}

function recordPath(path: string): string {
  return `${path}.json`
}

/** For a failure that is reported anyway: what came so far is kept where that can be. */
export async function closeQuietly(partial: PartialFile): Promise<void> {
  try {
    await partial.close()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
  }
}
