/** `ckpt run`: a training command, resumed and watched until it has ended. */
import { CkptError } from '../core/errors.js'
import { describeContradictions } from '../core/choosing/selection/index.js'
import { supervise, wholeOldestFirst, type JobPlan } from '../core/jobs/supervise/index.js'
import { runArgument } from '../cli/flags/common-flags.js'
import { JobCommand } from '../cli/job-command.js'
import { describeOutcome } from '../render/outcome.js'
import { printable, printableLines } from '../render/printable.js'
import { choresOf } from '../cli/run-chores.js'
import { runFlags } from '../cli/flags/run-flags.js'
import { holdingJob } from '../core/jobs/holding-job.js'
import { readPlan, readPrune } from '../cli/flags/run-plan.js'
import { thisMachine } from '../machine/this-machine.js'

export default class RunCommand extends JobCommand<typeof RunCommand> {
  static override summary = 'Run a training command to its end: resume it, watch it, start it again'
  static override description = `Each start resumes from the newest checkpoint that is whole, which fills {path}, {name}, {step}, {epoch}, {file:KEY} and
{meta:KEY} in the command, --resume-args and CKPT_* in the environment. Without a
checkpoint, or where no save was ever finished, it is a first start. Where checkpoints were finished and none is whole
any more, the exit status is 4: a job never silently starts from scratch. Damaged ones that a framework which resumes
by itself would take before the chosen one are moved to the trash first.

How it ended decides what follows: done, failed, out-of-memory, timed-out, preempted, never-started, hung. Each has a
budget of retries (3; timed-out and preempted without end), given back when a new whole checkpoint has appeared. A
Ctrl-C or kill ends the command and ckpt, after giving it --grace to save; a second Ctrl-C kills it at once. The exit
status is the last one of the command, 128 + N where signal N killed it; those below are ckpt's own, when nothing was
started.

With a policy (--keep or another flag of it, and --yes, as nobody is there to ask) the run is pruned after each end, as
ckpt prune would. ckpt log shows what happened. docs/jobs.md explains the rest.`
  static override examples = [
    {
      description: 'in a job script',
      command: '<%= config.bin %> run exp/save --keep 2 --min WER --retries 3 --yes -- python train.py hparams.yaml',
    },
    {
      description: 'stop after five checkpoints without an improvement; half an hour without output is a hang',
      command: '<%= config.bin %> run exp/save --patience 5 --stop-min WER --stall 30m -- python train.py',
    },
    {
      description: 'try it before the night',
      command: '<%= config.bin %> run exp/save --simulate preempt@60s --simulate oom@30s -- python train.py',
    },
  ]
  static override args = { run: runArgument }
  // The command has the terminal: there is no document.
  static override baseFlags = {
    quiet: JobCommand.baseFlags.quiet,
    'no-config': JobCommand.baseFlags['no-config'],
  } as typeof JobCommand.baseFlags
  static override flags = runFlags
  static override usage = 'run [RUN] [FLAGS] -- COMMAND [ARGUMENT...]'

  async run(): Promise<void> {
    this.checkUsage()
    await this.refuseWord(this.args.run)
    if (this.command.length === 0) {
      throw new CkptError('usage', 'there is no command to run', { hint: 'ckpt run RUN -- python train.py' })
    }
    const { flags } = this
    const plan = await readPlan(this.args.run, this.command, flags)
    const prune = await readPrune(flags)
    await this.warnOfContradiction(plan)
    const tell = (text: string) => this.note(printableLines(`ckpt: ${text}`))
    const machine = thisMachine(tell, flags['hold-batch-shell'])
    const options = {
      onCheckpoint: flags['on-checkpoint'],
      onExit: flags['on-exit'],
      prune: prune === null ? null : { ...prune, verify: flags.verify, proves: flags.verify === undefined },
      trash: flags.trash,
      lock: this.changing(flags.wait, flags.state),
      tell,
    }
    // In a queue the job before this one may not have come to its very end yet.
    const lock = this.changing(plan.batch === null ? '0s' : '5m', flags.state)
    const { status } = await holdingJob(this.storage, plan, lock, tell, async (journal) => {
      const before = journal.entries.length
      const outcome = await supervise(machine, this.storage, journal, plan, await choresOf(this.storage, plan, options))
      tell(describeOutcome(outcome, journal.entries.slice(before)))
      return outcome
    })
    process.exitCode = status
  }

  /** Before the night that it would spoil. */
  private async warnOfContradiction(plan: JobPlan): Promise<void> {
    if (plan.enough.patience === null) return
    const known = await wholeOldestFirst(this.storage, plan.path, plan)
    const asTyped = ({ kind, key }: { readonly kind: string; readonly key: string }) => `--stop-${kind} ${key}`
    for (const text of describeContradictions([plan.enough.patience.order], known, asTyped)) this.alert(printable(text))
  }
}
