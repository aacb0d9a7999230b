/** A command that reads runs: what it reads from, when, and what it remembers of a search. */
import type { Program } from './command-line/program.js'
import type { WalkFlags } from './output/reporter.js'
import { TellingCommand } from './telling-command.js'
import { ScanTree, type WalkOptions } from '../core/checkpoints/layouts/index.js'
import type { ReadStorage, Storage } from '../core/storage/storage.js'
import { userStorage } from '../machine/user-storage.js'

export abstract class ReadingCommand extends TellingCommand {
  protected abstract readonly program: Program
  protected storage: Storage = userStorage((text) => this.alert(text))
  /** What is asked of this lists each folder once in a command; who changes something afterwards asks `readAgain` first. */
  protected reading: ReadStorage = ScanTree.over(this.storage)

  protected readFrom(storage: Storage): void {
    this.storage = storage
    this.readAgain()
  }

  /** What was listed before is listed anew. */
  protected readAgain(): void {
    this.reading = ScanTree.over(this.storage)
  }

  /** Unix seconds. */
  protected readonly now = (): number => Date.now() / 1000

  /** A search for runs (reporter.ts), which remembers what it reads (scan-cache.ts). */
  protected readonly walk = async <R>(flags: WalkFlags, work: (options: WalkOptions) => Promise<R>): Promise<R> => {
    if (flags['no-cache'] === true) return this.reporter.walk(flags, work)
    const { withScanMemory } = await import('./scan-cache.js')
    return withScanMemory(this.storage, this.now, this.program.build, (memory) =>
      this.reporter.walk(flags, (options) => work({ ...options, memory })),
    )
  }
}
