/**
 * The files that the scan of one folder has read and opened, so that each is read and opened once, whichever layouts and
 * sources ask for it. Bounded: of very many files the oldest are forgotten, and asking for one of those reads it again.
 */
import { dirname } from 'node:path'
import type { MetaValue } from '../../checkpoint.js'
import type { FileAnswers } from './file-facts.js'

/** Bytes of all contents together. */
const mostBytes = 8 << 20
/** Files whose answers are kept; each takes a kilobyte or two. */
const mostAnswered = 10_000

/** Whole files by path. */
export class KeptContents {
  private readonly contents = new Map<string, Uint8Array>()
  private bytes = 0

  get(path: string): Uint8Array | undefined {
    // Long paths are seldom asked for twice, and each look into a table hashes one.
    return this.contents.size === 0 ? undefined : this.contents.get(path)
  }

  keep(path: string, bytes: Uint8Array): void {
    if (bytes.length > mostBytes || this.contents.has(path)) return
    // The bytes may be a view of a large block.
    this.contents.set(path, bytes.slice())
    this.bytes += bytes.length
    for (const [oldest, { length }] of this.contents) {
      if (this.bytes <= mostBytes) break
      this.contents.delete(oldest)
      this.bytes -= length
    }
  }
}

export class ScannedFiles {
  private readonly own = new KeptContents()
  private readonly answers = new Map<string, Map<string, MetaValue>>()

  /** `folder` is absolute. `above` has the files above it, which the scans of its neighbours read too. */
  constructor(
    private readonly folder: string,
    private readonly above: KeptContents,
  ) {}

  /** The whole file; undefined where it was not read, or has more than `limit` bytes. */
  content(path: string, limit: number): Uint8Array | undefined {
    const known = this.own.get(path) ?? this.above.get(path)
    return known === undefined || known.length > limit ? undefined : known
  }

  /** Files within a checkpoint's folder are left out: the layout of that checkpoint alone reads them, and once. */
  keepContent(path: string, bytes: Uint8Array): void {
    const folder = dirname(path)
    if (folder === this.folder) this.own.keep(path, bytes)
    else if (!folder.startsWith(this.folder)) this.above.keep(path, bytes)
  }

  /** What was found out about the file in this scan, then what `earlier` scans found out. */
  answersAbout(path: string, earlier: FileAnswers | null): FileAnswers {
    return {
      get: (question) => {
        const known = this.answers.get(path)?.get(question)
        return known === undefined ? earlier?.get(question) : known
      },
      opened: (size) => earlier?.opened(size),
      keep: (question, answer) => {
        this.keepAnswer(path, question, answer)
        earlier?.keep(question, answer)
      },
    }
  }

  private keepAnswer(path: string, question: string, answer: MetaValue): void {
    const known = this.answers.get(path) ?? new Map<string, MetaValue>()
    this.answers.set(path, known.set(question, answer))
    if (this.answers.size <= mostAnswered) return
    const [oldest] = this.answers.keys()
    if (oldest !== undefined) this.answers.delete(oldest)
  }
}
