/**
 * What scans have read of files, and what their readers made of it, remembered from one command to the next. The files
 * decide: what is remembered counts only for a file that is the same by path, device, inode, size and both times to the
 * nanosecond.
 */
import type { MetaValue } from '../../checkpoint.js'
import type { Stat } from '../storage.js'
import { factsInText, mostFacts, rawOf, textOfFacts, valueOfRaw, type RawFacts } from './plain-facts.js'

/** Bytes of a file from a position on. */
export interface Extent {
  readonly position: number
  readonly bytes: Uint8Array
}

/** What tells one state of a file from another. */
export interface FileState {
  readonly device: bigint
  readonly inode: bigint
  /** Bytes. */
  readonly size: number
  readonly modifiedNs: bigint
  readonly changedNs: bigint
}

export interface RememberedFile {
  /** Absolute. */
  readonly path: string
  readonly state: FileState
  readonly extents: readonly Extent[]
  /** What readers found out about it (plain-facts.ts); empty for nothing. */
  readonly facts: string
}

/** Where it is kept, folder by folder: each that was scanned has a record of its own. */
export interface ScanRecords {
  /** What was remembered of the files that were read when this folder was scanned; nothing that cannot be read. */
  load(folder: string): Promise<readonly RememberedFile[]>
  /** In place of what was there. Never throws: a memory that cannot be written is none. */
  save(folder: string, files: readonly RememberedFile[]): Promise<void>
  /** What was answered to a question, as text; null for nothing that can be read. */
  loadAnswer(question: string): Promise<string | null>
  /** Likewise. */
  saveAnswer(question: string, answer: string): Promise<void>
}

/** Bytes of one file; a longer one is read again each time. */
export const mostOfFile = 1 << 20
/** Bytes of all files of one folder. */
const mostOfFolder = 64 << 20
/**
 * Nanoseconds. A file changed that shortly before it was read may change again without another time; and a time to come
 * means that one of the clocks is wrong: such a file is never old.
 */
const youth = 2_000_000_000n

interface Entry {
  readonly state: FileState
  extents: Extent[]
  /** Of the extents and the facts. */
  bytes: number
  /** As they were loaded, until something is added. */
  text: string
  /** Read from the text when they are asked for. */
  facts: RawFacts | null
}

/** The memory of one walk. One folder at a time is scanned. */
export class ScanMemory {
  private folder: string | null = null
  private known = new Map<string, Entry>()
  private used = new Map<string, Entry>()
  private bytes = 0
  private isNew = false

  /** `now` gives Unix seconds. */
  constructor(
    readonly records: ScanRecords,
    private readonly now: () => number,
  ) {}

  /** Tells of a time, in nanoseconds, whether what changed then was old by now, for all that is read from now on. */
  agesFrom(): (changed: bigint) => boolean {
    const now = BigInt(Math.floor(this.now() * 1e9))
    return (changed) => now - changed >= youth
  }

  async enter(folder: string): Promise<void> {
    this.folder = folder
    this.known = new Map(
      (await this.records.load(folder)).map(({ path, state, extents, facts }) => [
        path,
        { state, extents: [...extents], bytes: bytesOf(extents) + facts.length, text: facts, facts: null },
      ]),
    )
    this.used = new Map()
    this.bytes = 0
    this.isNew = false
  }

  /** What was read since `enter` is kept, in place of what was known and not asked for. */
  async leave(): Promise<void> {
    const { folder } = this
    this.folder = null
    if (folder === null || !this.isNew) return
    const files = [...this.used].map(([path, { state, extents, text, facts }]) => ({
      path,
      state,
      extents,
      facts: text === '' && facts !== null ? textOfFacts(facts) : text,
    }))
    await this.records.save(folder, files)
  }

  /** The whole file; null where it is not remembered. */
  whole(path: string, stat: Stat): Uint8Array | null {
    const { size } = stat
    return size > mostOfFile ? null : this.part(path, stat, 0, size)
  }

  /** That part of the file, cut at its end; null where not all of it is remembered. */
  part(path: string, stat: Stat, position: number, length: number): Uint8Array | null {
    const entry = this.entryOf(path, stat)
    const wanted = Math.max(0, Math.min(length, stat.size - position))
    const extent = entry?.extents.find(
      (one) => one.position <= position && one.position + one.bytes.length >= position + wanted,
    )
    if (extent === undefined) return null
    return extent.bytes.subarray(position - extent.position, position - extent.position + wanted)
  }

  /** What was read just now of a file that was as `stat` says before. */
  keep(path: string, stat: Stat, position: number, bytes: Uint8Array): void {
    const entry = this.entryFor(path, stat, bytes.length)
    // The bytes may be a view of a large block, or be overwritten by the caller.
    entry?.extents.push({ position, bytes: bytes.slice() })
  }

  /** What a reader found out about the file before; undefined where that is not remembered. */
  fact(path: string, stat: Stat, question: string): MetaValue | undefined {
    const entry = this.entryOf(path, stat)
    return entry === null ? undefined : valueOfRaw(factsOf(entry).get(question))
  }

  /** What a reader found out just now about a file that was as `stat` says before. */
  keepFact(path: string, stat: Stat, question: string, answer: MetaValue): void {
    const raw = rawOf(answer)
    if (raw === undefined) return
    const length = question.length + JSON.stringify(raw).length + mostMarks
    if (length > mostFacts / 2) return
    const entry = this.entryFor(path, stat, length)
    if (entry === null) return
    factsOf(entry).set(question, raw)
    entry.text = ''
  }

  /** What is known of the file as facts needs no bytes. */
  dropBytes(path: string, stat: Stat): void {
    const entry = this.entryOf(path, stat)
    if (entry === null) return
    const bytes = bytesOf(entry.extents)
    entry.extents = []
    entry.bytes -= bytes
    this.bytes -= bytes
  }

  /** Where that many bytes may be added to what is remembered of the file; null where none may. */
  private entryFor(path: string, stat: Stat, length: number): Entry | null {
    if (this.folder === null || !this.agesFrom()(newestOf(stat))) return null
    const known = this.entryOf(path, stat)
    const entry = known ?? { state: stateOf(stat), extents: [], bytes: 0, text: '', facts: null }
    if (entry.bytes + length > mostOfFile || this.bytes + length > mostOfFolder) return null
    entry.bytes += length
    this.bytes += length
    this.used.set(path, entry)
    this.isNew = true
    return entry
  }

  private entryOf(path: string, stat: Stat): Entry | null {
    const used = this.used.get(path)
    if (used !== undefined && isSame(used.state, stat)) return used
    const entry = this.known.get(path)
    if (entry === undefined || !isSame(entry.state, stat)) return null
    this.used.set(path, entry)
    this.bytes += entry.bytes
    return entry
  }
}

/** Units of text that separate an answer from the next, at most. */
const mostMarks = 6

function factsOf(entry: Entry): RawFacts {
  return (entry.facts ??= factsInText(entry.text) ?? new Map<string, unknown>())
}

function newestOf({ modifiedNs, changedNs }: Stat): bigint {
  return modifiedNs > changedNs ? modifiedNs : changedNs
}

function bytesOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function stateOf({ device, inode, size, modifiedNs, changedNs }: Stat): FileState {
  return { device, inode, size, modifiedNs, changedNs }
}

function isSame(a: FileState, b: FileState): boolean {
  return (
    a.inode === b.inode &&
    a.size === b.size &&
    a.modifiedNs === b.modifiedNs &&
    a.changedNs === b.changedNs &&
    a.device === b.device
  )
}
