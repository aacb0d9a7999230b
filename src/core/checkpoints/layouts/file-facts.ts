/** What readers have found out about one state of a file, now or in an earlier scan. */
import type { MetaValue } from '../../checkpoint.js'
import type { ScanMemory } from '../../storage/memory/scan-memory.js'
import type { Stat } from '../../storage/storage.js'

/** Answers about one file, by the question. */
export interface FileAnswers {
  /** Undefined where it is not known. */
  get(question: string): MetaValue | undefined
  /** The size of the file that was opened. */
  opened(size: number): void
  keep(question: string, answer: MetaValue): void
}

export class FileFacts implements FileAnswers {
  private isOther = false

  /** `seen` is the file as the scan saw it. */
  constructor(
    private readonly path: string,
    private readonly seen: Stat,
    private readonly memory: ScanMemory,
  ) {}

  /** Undefined where it is not remembered. */
  get(question: string): MetaValue | undefined {
    return this.memory.fact(this.path, this.seen, question)
  }

  /** The size of the file that was opened: another one than the scan saw is another file. */
  opened(size: number): void {
    if (size !== this.seen.size) this.isOther = true
  }

  /** Beside what was found out the bytes that it was found in need not be remembered. */
  keep(question: string, answer: MetaValue): void {
    if (this.isOther) return
    this.memory.keepFact(this.path, this.seen, question, answer)
    this.memory.dropBytes(this.path, this.seen)
  }
}
