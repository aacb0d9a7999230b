/** Shared by the commands that start another program: `ckpt … -- COMMAND`. */
import { BaseCommand } from './base-command.js'
import type { Description } from './command-line/described-command.js'
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
}
