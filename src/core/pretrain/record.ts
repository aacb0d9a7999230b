/** What ckpt made where files are collected, and what of: so that it is known again, and nothing else is replaced. */
import { isAbsolute, join } from 'node:path'
import type { Digest } from './download/index.js'
import { isJsonObject, type JsonValue } from '../formats/text/json.js'
import {
  isCount,
  isInode,
  isList,
  isText,
  isTime,
  makeState,
  readRecordOrNull,
  refuseWithout,
  tellMisfit,
  writeRecord,
  type StateFolder,
} from '../changes/state/index.js'
import { StorageError } from '../errors.js'
import type { EntryKind, Stat, Storage } from '../storage/storage.js'

/** A file or a link as it was when it got its name. */
export interface Made {
  readonly kind: EntryKind
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
  readonly inode: bigint
  /** Of what it was made; equal when it would be made again the same. */
  readonly origin: string
  /** What its bytes were checked against; null for nothing. */
  readonly digest: Digest | null
  /** The server's, of the whole file. */
  readonly validator: string | null
}

const fileName = 'collected.json'

export class MadeRecord {
  /** Settles with the last write: there is one file, and several may be added at once. */
  private writing: Promise<void> = Promise.resolve()

  private constructor(
    private readonly storage: Storage,
    private readonly state: StateFolder,
    private readonly made: Map<string, Made>,
  ) {}

  /** Empty where nothing is remembered, or what is cannot be read: then nothing counts as ours. */
  static async open(storage: Storage, state: StateFolder): Promise<MadeRecord> {
    const path = join(state.path, fileName)
    const list = (await readRecordOrNull(storage, path))?.get('made') ?? []
    const entries = isList(list) ? list.map(toEntry) : [null]
    if (entries.includes(null))
      tellMisfit(storage, path, 'a path, number or checksum is not one of a file that was made')
    return new MadeRecord(storage, state, new Map(entries.filter((entry) => entry !== null)))
  }

  /** What was made at this path (absolute) and is still there as it was; null for anything else. */
  of(path: string, there: Stat): Made | null {
    const made = this.made.get(path)
    if (made === undefined) return null
    const { kind, size, modified, inode } = there
    const isSame =
      made.kind === kind &&
      made.inode === inode &&
      made.size === size &&
      (kind === 'link' || made.modified === modified)
    return isSame ? made : null
  }

  /**
   * To be called before something gets its name at `path`: were ckpt killed in between, what is there would not be
   * known again. Throws CkptError `refused` where the state folder cannot be written.
   */
  async add(path: string, draft: Stat, what: Pick<Made, 'origin' | 'digest' | 'validator'>): Promise<void> {
    const { kind, size, modified, inode } = draft
    this.made.set(path, { kind, size, modified, inode, ...what })
    const written = this.writing.then(() => this.write())
    this.writing = written.catch(() => undefined)
    await written
  }

  private async write(): Promise<void> {
    try {
      await makeState(this.storage, this.state)
      const made = [...this.made].map(([at, one]) => ({ path: at, ...one, inode: String(one.inode) }))
      await writeRecord(this.storage, join(this.state.path, fileName), { version: 1, made })
    } catch (error) {
      if (error instanceof StorageError) throw refuseWithout(this.state, 'collect files', error)
      throw error
    }
  }
}

const kinds: readonly EntryKind[] = ['file', 'link', 'directory', 'other']

function toEntry(value: JsonValue): [string, Made] | null {
  if (!isJsonObject(value)) return null
  const [path, kind, size, modified, inode, origin, validator] = [
    ...['path', 'kind', 'size', 'modified', 'inode', 'origin', 'validator'],
  ].map((key) => value.get(key))
  const known = kinds.find((one) => one === kind)
  if (known === undefined || !isText(path) || !isText(origin)) return null
  if (!isAbsolute(path) || path.includes('\0') || !isCount(size) || !isTime(modified) || !isInode(inode)) return null
  const digest = toDigest(value.get('digest'))
  const made = { kind: known, size, modified, inode: BigInt(inode), origin, digest }
  return [path, { ...made, validator: isText(validator) ? validator : null }]
}

function toDigest(value: JsonValue | undefined): Digest | null {
  if (!isJsonObject(value)) return null
  const [algorithm, digits] = ['algorithm', 'value'].map((key) => value.get(key))
  if ((algorithm !== 'sha256' && algorithm !== 'git') || typeof digits !== 'string') return null
  if (!/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/i.test(digits)) return null
  return { algorithm, value: digits }
}
