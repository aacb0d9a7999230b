import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { byRun, type Named } from '../core/runs/checkpoint-arguments.js'
import { openCheckpoint, pin } from '../core/runs/index.js'
import type { Pin } from '../core/changes/state/index.js'
import { checkpointsArgument, stateFlag, waitFlag } from '../cli/flags.js'
import { printable } from '../render/printable.js'
import { baseOf } from '../machine/working-folder.js'

export default class PinCommand extends BaseCommand<typeof PinCommand> {
  static override summary = 'Keep checkpoints from every prune'
  static override description = `A pinned checkpoint stays whatever a policy says (but --no-protect), and list shows its mark. A pin binds ckpt
alone: nothing in the checkpoint's folder changes, and the framework knows nothing of it.`
  static override examples = [
    {
      description: 'the one in the paper',
      command: `<%= config.bin %> pin exp/save/CKPT+2026-11-02+09-14-07+00 --note 'table 2'`,
    },
    {
      description: 'the best so far',
      command: '<%= config.bin %> pin "$(<%= config.bin %> find exp/save --min loss)"',
    },
  ]
  static override args = {
    checkpoint: checkpointsArgument,
  }
  static override flags = {
    note: Flags.string({ helpValue: 'TEXT', default: '', description: 'note shown beside the pin' }),
    state: stateFlag,
    wait: waitFlag,
  }

  async run(): Promise<void> {
    const named: Named<string>[] = []
    for (const argument of this.args.checkpoint) {
      const { run, checkpoint } = await openCheckpoint(this.storage, argument, baseOf(argument))
      named.push({ run: run.path, found: checkpoint.name })
    }
    const pinned: (Pin & { run: string })[] = []
    const options = this.changing(this.flags.wait, this.flags.state)
    for (const [run, names] of byRun(named)) {
      const made = await pin(this.storage, run, { names, note: this.flags.note }, options)
      pinned.push(...made.map((one) => ({ run, ...one })))
    }
    const document = pinned.map(({ run, name, note, time }) => ({ run, name, note, time }))
    this.answer({ pinned: document }, () => pinned.map(({ name }) => `pinned ${printable(name)}`))
  }
}
