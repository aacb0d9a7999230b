import { BaseCommand } from '../base-command.js'
import { runArgument, selectionFlags } from '../flags.js'

export default class List extends BaseCommand<typeof List> {
  static override summary = 'List the checkpoints of a run'
  static override args = { run: runArgument }
  static override flags = { ...selectionFlags }

  async run(): Promise<void> {
    this.answer({ run: this.args.run, by: this.flags.by ?? null }, () => `run ${this.args.run}`)
  }
}
