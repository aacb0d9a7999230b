/**
 * What happened to a run's jobs, line by line in `journal.jsonl` in the run's state folder. Lines are only ever added,
 * each in one write and synced, so that two writers do not mix theirs, and a kill costs no more than the last one.
 */
import { join } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import { withFile } from '../../storage/file-source.js'
import { parseJson } from '../../formats/text/json.js'
import { makeState, readKnownElsewhere, type StateFolder } from '../state/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { lineOf, toEntry, type JournalEntry } from './entry.js'

/** Absolute. */
export function journalPath(state: StateFolder): string {
  return join(state.path, 'journal.jsonl')
}

/** Bytes. A year of checkpoints every minute has less. */
const largest = 256 << 20

export interface JournalContents {
  /** In the order in which they were written. */
  readonly entries: readonly JournalEntry[]
  /** Lines that are not entries: cut by a kill, or written by another version. */
  readonly unreadable: number
  /** The last line has no end: what is added next must not become a part of it. */
  readonly isCut: boolean
}

/**
 * What happened to the run, in whichever of its state folders that was written down. Nothing where there is no journal.
 * Throws StorageError where that of `state` cannot be read; what cannot be of others is reported.
 */
export async function readJournal(storage: ReadStorage, state: StateFolder): Promise<JournalContents> {
  const own = await readOwn(storage, state)
  const others = await readKnownElsewhere(storage, state, (other) => readOwn(storage, other))
  if (others.every(({ value }) => value.entries.length === 0)) return own
  const entries = [own, ...others.map(({ value }) => value)].flatMap((one) => one.entries)
  return { ...own, entries: entries.sort((one, other) => one.time - other.time) }
}

async function readOwn(storage: ReadStorage, state: StateFolder): Promise<JournalContents> {
  const [text] = await storage.read([journalPath(state)], largest)
  if (text?.ok !== true) {
    if (text !== undefined && text.error.code !== 'not-found') throw text.error
    return { entries: [], unreadable: 0, isCut: false }
  }
  return readLines(text.value)
}

/** One line after the other: a second copy of the whole, as text, can be more than there is room for. */
function readLines(bytes: Uint8Array): JournalContents {
  const decoder = new TextDecoder()
  const entries: JournalEntry[] = []
  let unreadable = 0
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    const found = bytes.indexOf(newline, start)
    end = found === -1 ? bytes.length : found
    const line = end - start > longestLine ? null : decoder.decode(bytes.subarray(start, end))
    if (line?.trim() === '') continue
    const entry = line === null ? null : parseLine(line)
    if (entry === null) unreadable += 1
    else entries.push(entry)
  }
  return { entries, unreadable, isCut: bytes.length > 0 && bytes.at(-1) !== newline }
}

/** Bytes. A start with the longest command, or the meta with the most numbers, has less. */
const longestLine = 16 << 20

/** No entry has less: of a million lines of anything else each error would take its time. */
const shortestLine = 30

function parseLine(line: string): JournalEntry | null {
  if (line.length < shortestLine || !line.startsWith('{')) return null
  try {
    return toEntry(parseJson(line))
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    return null
  }
}

const newline = 0x0a

/** Whether the last line has no end. Throws StorageError where it cannot be read. */
async function isCut(storage: ReadStorage, path: string): Promise<boolean> {
  const last = new Uint8Array(1)
  try {
    const count = await withFile(storage, path, (handle) => handle.read(last, Math.max(0, handle.size - 1)))
    return count > 0 && last[0] !== newline
  } catch (error) {
    if (error instanceof StorageError && error.code === 'not-found') return false
    throw error
  }
}

/** A run's journal, open for adding. */
export class Journal {
  private constructor(
    private readonly storage: Storage,
    private readonly state: StateFolder,
    /** Null where nobody asks. */
    private readonly known: JournalEntry[] | null,
    private isCut: boolean,
    private readonly onFailure: (error: CkptError) => void,
  ) {}

  /** Throws StorageError where what is there cannot be read. `onFailure` is called for each entry that cannot be added. */
  static async open(storage: Storage, state: StateFolder, onFailure: (error: CkptError) => void): Promise<Journal> {
    const { entries, isCut } = await readJournal(storage, state)
    return new Journal(storage, state, [...entries], isCut, onFailure)
  }

  /** The same for who only adds: of what is there the last byte alone is read, and no entry is known. */
  static async forAdding(
    storage: Storage,
    state: StateFolder,
    onFailure: (error: CkptError) => void,
  ): Promise<Journal> {
    return new Journal(storage, state, null, await isCut(storage, journalPath(state)), onFailure)
  }

  /** The same where what is there cannot be read: what is added counts as known. */
  static unread(storage: Storage, state: StateFolder, onFailure: (error: CkptError) => void): Journal {
    return new Journal(storage, state, [], true, onFailure)
  }

  get entries(): readonly JournalEntry[] {
    return this.known ?? []
  }

  /** All that is written down by now, by others too. Throws StorageError where it cannot be read. */
  async readAgain(): Promise<readonly JournalEntry[]> {
    return (await readJournal(this.storage, this.state)).entries
  }

  /** The job matters more than its journal: a full disk is reported, and the entries count as known. */
  async add(...entries: readonly JournalEntry[]): Promise<void> {
    await this.addAll(entries)
  }

  /** The same of however many: a call takes no more than some tens of thousands of arguments. */
  async addAll(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return
    if (this.known !== null) for (const entry of entries) this.known.push(entry)
    try {
      await makeState(this.storage, this.state)
      const text = (this.isCut ? '\n' : '') + entries.map(lineOf).join('')
      this.isCut = true
      await this.storage.append(journalPath(this.state), new TextEncoder().encode(text))
      this.isCut = false
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.onFailure(error)
    }
  }
}
