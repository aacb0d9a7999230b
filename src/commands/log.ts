/** `ckpt log`: the journal of a run. */
import { BaseCommand } from '../cli/base-command.js'
import { localStamp } from '../machine/clock.js'
import { CkptError } from '../core/errors.js'
import { attemptsOf, removalsAndCutOff } from '../core/changes/journal/index.js'
import { runArgument, stateFlag } from '../cli/flags/common-flags.js'
import { logDocument, renderLog } from '../render/log.js'
import { openRunState } from '../core/jobs/run-state.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

export default class Log extends BaseCommand<typeof Log> {
  static override isReader = true
  static override summary = 'Show what happened to the jobs and checkpoints of a run'
  static override description = `One line for each start by ckpt run: what it resumed from, how long it took, how many new checkpoints it brought, how
much work was lost (the time after the last of them), and how it ended. A start without an end is one that nobody saw
end, or that is running. Then one line for each checkpoint that was removed, trashed, demoted or restored: when, by
whom, by which policy and why, and the metrics that it had; removing is one that was about to go when its ckpt was
killed, or that is going now.`
  static override examples = [
    { description: 'the run in this folder', command: '<%= config.bin %> log' },
    { description: 'for a script', command: '<%= config.bin %> log exp/save --json' },
  ]
  static override args = { run: runArgument }
  static override flags = { state: stateFlag }

  async run(): Promise<void> {
    const { run, journal } = await openRunState(this.storage, this.args.run, this.flags.state)
    if (attemptsOf(journal.entries).length + removalsAndCutOff(journal.entries).length === 0) {
      throw new CkptError('not-found', `${run}: no job has been run here by ckpt run, and nothing was removed`, {
        hint: `ckpt run ${quoteWord(run)} -- python train.py`,
      })
    }
    this.answer(logDocument(run, journal), () => renderLog(journal, localStamp))
  }
}
