/** The records of scans in a folder of the user's cache, a file for each folder that was scanned, and for each answer. */
import { createHash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { CkptError } from '../../errors.js'
import type { Storage } from '../storage.js'
import { decodeAnswer, decodeFiles, encodeAnswer, encodeFiles } from './record-bytes.js'
import type { RememberedFile, ScanRecords } from './scan-memory.js'

/** Bytes of one record before it is packed. */
const largestRecord = 80 << 20
/** Bytes of all records; where there are more, the oldest go until a quarter is free. */
export const mostRemembered = 8e6
const mostKept = (mostRemembered * 3) / 4

const suffix = '.scan'
/** Seconds after which what a killed ckpt was writing is taken away. */
const abandoned = 3600

/** For anything that cannot be read or written: then nothing is remembered. */
async function orElse<T>(fallback: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CkptError) return fallback
    throw error
  }
}

/** `folder` is absolute and the user's own; `reader` names the version of ckpt, for another one may read otherwise. */
export class ScanRecordFiles implements ScanRecords {
  /** Names that are there; null before anybody asked. */
  private names: Promise<ReadonlySet<string>> | null = null
  private written = 0

  constructor(
    private readonly storage: Storage,
    private readonly folder: string,
    private readonly reader: string,
  ) {}

  async load(scanned: string): Promise<readonly RememberedFile[]> {
    const bytes = await this.read(scanned)
    return bytes === null ? [] : decodeFiles(bytes, this.reader)
  }

  async save(scanned: string, files: readonly RememberedFile[]): Promise<void> {
    await this.write(scanned, encodeFiles(files, this.reader))
  }

  async loadAnswer(question: string): Promise<string | null> {
    const bytes = await this.read(question)
    return bytes === null ? null : decodeAnswer(bytes, this.reader)
  }

  async saveAnswer(question: string, answer: string): Promise<void> {
    await this.write(question, encodeAnswer(answer, this.reader))
  }

  private async read(about: string): Promise<Uint8Array | null> {
    this.names ??= this.list()
    const name = nameFor(about)
    if (!(await this.names).has(name)) return null
    const [bytes] = await this.storage.read([join(this.folder, name)], mostRemembered)
    return bytes?.ok === true ? unpacked(bytes.value) : null
  }

  private async list(): Promise<ReadonlySet<string>> {
    const [listing] = await this.storage.list([this.folder])
    return new Set(listing?.ok === true ? listing.value.map(({ name }) => name) : [])
  }

  /** What would push out what the same walk has just written is not kept. */
  private async write(about: string, record: Uint8Array): Promise<void> {
    await orElse(undefined, async () => {
      if (record.length > largestRecord) return
      const bytes = packed(record)
      if (this.written + bytes.length > mostKept) return
      // A process that reads it meanwhile sees the old one or the new one.
      const draft = join(this.folder, `${randomUUID()}.tmp`)
      const file = await this.storage.create(draft, 0o600)
      try {
        await file.write(bytes)
      } catch (error) {
        await this.storage.unlink(draft)
        throw error
      } finally {
        await file.close()
      }
      await this.storage.rename(draft, join(this.folder, nameFor(about)))
      this.written += bytes.length
    })
  }

  /** Keeps the folder within its bound. `now` is Unix seconds. */
  async tidy(now: number): Promise<void> {
    if (this.written === 0) return
    await orElse(undefined, async () => {
      const files = await this.files()
      const left = files.filter(({ name, modified }) => !name.endsWith(suffix) && modified < now - abandoned)
      const records = files.filter(({ name }) => name.endsWith(suffix)).sort((a, b) => a.modified - b.modified)
      let bytes = records.reduce((sum, { size }) => sum + size, 0)
      const isFull = bytes > mostRemembered
      for (const { name } of left) await this.drop(name)
      for (const { name, size } of records) {
        if (!isFull || bytes <= mostKept) break
        await this.drop(name)
        bytes -= size
      }
    })
  }

  private async files() {
    const names = [...(await this.list())].filter((name) => name.endsWith(suffix) || name.endsWith('.tmp'))
    const stats = await this.storage.lstat(names.map((name) => join(this.folder, name)))
    return names.flatMap((name, index) => {
      const stat = stats[index]
      return stat?.ok === true ? [{ name, size: stat.value.size, modified: stat.value.modified }] : []
    })
  }

  /** Another ckpt may have dropped it already. */
  private drop(name: string): Promise<void> {
    return orElse(undefined, () => this.storage.unlink(join(this.folder, name)))
  }
}

function nameFor(about: string): string {
  return createHash('sha256').update(about).digest('hex').slice(0, 32) + suffix
}

/** Records repeat themselves: the fastest packing makes them 5 to 12 times smaller. */
function packed(record: Uint8Array): Uint8Array {
  return deflateRawSync(record, { level: 1 })
}

/** Null for what is damaged, or larger than any record. */
function unpacked(bytes: Uint8Array): Uint8Array | null {
  try {
    return inflateRawSync(bytes, { maxOutputLength: largestRecord })
  } catch {
    return null
  }
}
