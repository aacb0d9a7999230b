/** Shared by the commands that start another program: `ckpt … -- COMMAND`. */
import { resolve } from 'node:path'
import { BaseCommand } from './base-command.js'
import type { Description } from './command-line/described-command.js'
import { isChoosingWord } from '../core/checkpoints/choosing-words.js'
import { CkptError } from '../core/errors.js'

export abstract class JobCommand<T extends Description> extends BaseCommand<T> {
  static override looksDeep = true

  /** What stands after `--`. */
  protected command: readonly string[] = []

  protected override ownArguments(): string[] {
    const end = this.argv.indexOf('--')
    if (end === -1) return this.argv
    this.command = this.argv.slice(end + 1)
    return this.argv.slice(0, end)
  }

  /** Throws CkptError `usage`. */
  protected checkUsage(): void {
    if (this.argv.includes('--') && this.command.length === 0) {
      throw new CkptError('usage', 'there is no command after --', {
        hint: `ckpt ${this.described.id} RUN -- python train.py`,
      })
    }
    if (this.wantsJson && this.command.length > 0) {
      throw new CkptError('usage', '--json and a command exclude each other: the command has the terminal')
    }
  }

  /** `ckpt recover latest -- …` means a checkpoint; taken for a run that is to be made, its job would start anew. */
  protected async refuseWord(run: string): Promise<void> {
    if (!isChoosingWord(run)) return
    const [there] = await this.storage.lstat([resolve(run)])
    if (there?.ok === true) return
    const how =
      run === 'latest' ? 'the newest is taken anyway' : 'of its checkpoints --min KEY or --max KEY takes the best'
    throw new CkptError('usage', `${run} is no folder here, and a run is one`, {
      hint: `name the run: ckpt ${this.described.id} RUN -- COMMAND; ${how}; for a new run of that name: ./${run}`,
    })
  }
}
