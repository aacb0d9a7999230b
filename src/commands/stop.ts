/** `ckpt stop`: ends a running job cleanly, from another shell. */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { wait } from '../machine/clock.js'
import { CkptError } from '../core/errors.js'
import { holderOf, jobLock, writeStopRequest, type StateFolder } from '../core/changes/state/index.js'
import { runArgument, stateFlag } from '../cli/flags/common-flags.js'
import { interruptible } from '../cli/output/progress.js'
import { openRunState } from '../core/jobs/run-state.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

/** Milliseconds between two looks whether the job has ended. */
const interval = 200

export default class Stop extends BaseCommand<typeof Stop> {
  static override summary = 'End a running job cleanly, from another shell'
  static override description = `Asks the ckpt run that looks after the run's job, on whatever machine, to end it: by the signal or the file that ckpt run
was given (--stop-signal, --stop-file), with time to save. It is not started again. Waits until it has ended. The exit
status is 3 when no job is running.`
  static override examples = [
    { description: 'now', command: '<%= config.bin %> stop exp/save' },
    {
      description: 'ask the job to stop after its next checkpoint, and return at once',
      command: '<%= config.bin %> stop exp/save --after-next-checkpoint --no-wait',
    },
  ]
  static override args = { run: runArgument }
  static override flags = {
    'after-next-checkpoint': Flags.boolean({ description: 'let it save one more checkpoint first' }),
    'no-wait': Flags.boolean({ description: 'ask, and do not wait for its end' }),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const { run, state } = await openRunState(this.storage, this.args.run, this.flags.state)
    const holder = await this.holder(state)
    if (holder === null) {
      throw new CkptError('not-found', `${run}: no job is running here under ckpt run`, {
        hint: `ckpt log ${quoteWord(run)}`,
      })
    }
    const when = this.flags['after-next-checkpoint'] ? 'after-next-checkpoint' : 'now'
    await writeStopRequest(this.storage, state, when)
    this.note(`asked ${holder}${when === 'now' ? '' : ', which waits for the next checkpoint'}`)
    const ended = this.flags['no-wait'] ? false : await this.untilEnded(state)
    this.answer({ run, holder, when, ended }, () => (ended ? ['ended'] : []))
  }

  private holder(state: StateFolder): Promise<string | null> {
    return holderOf(this.storage, state, { ...this.changing('0s', this.flags.state), name: jobLock })
  }

  private untilEnded(state: StateFolder): Promise<boolean> {
    return interruptible(async (signal) => {
      while ((await this.holder(state)) !== null) {
        if (signal.aborted) throw new CkptError('interrupted', 'it has been asked, and has not ended yet')
        await wait(interval)
      }
      return true
    })
  }
}
