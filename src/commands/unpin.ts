/** `ckpt unpin`: takes pins away. */
import { resolve } from 'node:path'
import { BaseCommand } from '../cli/base-command.js'
import { byRun, findRemembered, type Named } from '../core/runs/opening/checkpoint-arguments.js'
import { CkptError } from '../core/errors.js'
import { loadByWord } from '../core/runs/opening/checkpoint-by-word.js'
import { pinsOf, unpin } from '../core/runs/index.js'
import { checkpointsArgument, stateFlag, waitFlag } from '../cli/flags/common-flags.js'
import { printable } from '../render/printable.js'

export default class Unpin extends BaseCommand<typeof Unpin> {
  static override summary = 'Remove the pin from checkpoints'
  static override description = 'A checkpoint that is gone may still be named: its pin is removed too.'
  static override examples = [
    {
      description: 'by path',
      command: '<%= config.bin %> unpin exp/save/CKPT+2026-11-02+09-14-07+00',
    },
  ]
  static override args = {
    checkpoint: checkpointsArgument,
  }
  static override flags = { state: stateFlag, wait: waitFlag }

  async run(): Promise<void> {
    const named: Named<string>[] = []
    for (const argument of this.args.checkpoint) named.push(await this.findPin(argument))
    const options = this.changing(this.flags.wait, this.flags.state)
    for (const [run, names] of byRun(named)) await unpin(this.storage, run, names, options)
    const document = named.map(({ run, found }) => ({ run, name: found }))
    this.answer({ unpinned: document }, () => named.map(({ found }) => `unpinned ${printable(found)}`))
  }

  private async findPin(argument: string): Promise<Named<string>> {
    const named = await findRemembered(this.storage, argument, '.', async (run, name) => {
      const pins = await pinsOf(this.storage, { path: run }, { stateDirectory: this.flags.state })
      return pins.has(name) ? name : undefined
    })
    if (named !== null) return named
    const chosen = await loadByWord(this.storage, argument, '.')
    if (chosen !== null) return this.findPin(chosen.checkpoint.path)
    throw new CkptError('no-match', `${resolve(argument)}: no pin is known under that name`, {
      hint: 'see the pins among the marks: ckpt list RUN',
    })
  }
}
