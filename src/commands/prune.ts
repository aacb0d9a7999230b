import { resolve } from 'node:path'
import { BaseCommand } from '../base-command.js'
import { utcOffset, wait } from '../clock.js'
import { confirm } from '../confirm.js'
import { readSettings } from '../config.js'
import type { HealthLevel, Run } from '../core/checkpoint.js'
import { failureOf, removeCheckpoints, type RemovalResult } from '../core/disposal/index.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { openRun, planPrune, type PrunePlan, type PruneRequest } from '../core/run/index.js'
import { dryRunFlag, policyFlags, runArgument, selectionFlags, verifyFlag, yesFlag } from '../flags.js'
import { readPolicy } from '../query.js'
import { pruneDocument, renderMissing, renderPlan, renderQuestion, renderRemoval } from '../render/prune.js'

/** What `ckpt.yaml` may say of a prune. */
const policySection = {
  name: 'prune',
  flags: {
    ...policyFlags,
    ...selectionFlags,
    verify: verifyFlag('how deep to look for damage: none, quick (headers), deep (every byte)', 'quick'),
  },
  check: readPolicy,
}

export default class Prune extends BaseCommand<typeof Prune> {
  static override summary = 'Remove checkpoints that no rule keeps'
  static override description = `Shows the plan with a reason for all that stays, asks, and removes exactly what the plan says.

Each order (recency, --min, --max, --by) keeps its best --keep N; what none of them keeps may go. A checkpoint that
lacks the value of every order stays. --where says what may go: what it does not select stays and takes no place.
The newest whole checkpoint, one that a pointer names, one with an impossible metric (an averaged model) and one
still being written always stay; a damaged one stays too and takes no place. In a script, add --yes.

Without a policy among the flags, that of the nearest ckpt.yaml is taken, in the run or above it:

  prune: {keep: 2, min: [WER], keep-every: [epoch=10], older-than: 7d}

Exit status 6 when some could not be removed, or a space target is missed although all that may go is gone.`
  static override examples = [
    {
      description: 'the newest and the best two by loss: the plan only',
      command: '<%= config.bin %> prune exp/save --keep 2 --min loss --dry-run',
    },
    { description: 'in a script', command: '<%= config.bin %> prune exp/save --keep 2 --min loss --yes' },
    {
      description: 'only checkpoints of the middle of an epoch',
      command: `<%= config.bin %> prune exp/save --where 'not end-of-epoch' --keep 1 --dry-run`,
    },
    {
      description: 'all that is older than a week, but every tenth epoch',
      command: '<%= config.bin %> prune exp/save --older-than 7d --keep-every epoch=10 --dry-run',
    },
    {
      description: 'the oldest, until a tenth of the disk is free',
      command: '<%= config.bin %> prune exp/save --min-free 10% --dry-run',
    },
    {
      description: 'start over',
      command: '<%= config.bin %> prune exp/save --keep 0 --no-protect --allow-empty --yes',
    },
  ]
  static override args = { run: runArgument }
  static override flags = {
    ...policySection.flags,
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  async run(): Promise<void> {
    const run = await openRun(this.storage, resolve(this.args.run))
    const plan = await this.plan(run)
    for (const warning of plan.warnings) this.alert(warning)
    if (plan.missingBytes > 0) this.alert(renderMissing(plan))
    // Nothing is deleted that was not shown.
    if (!this.wantsJson) this.output.dataLines(renderPlan(run, plan, { now: this.now(), output: this.output }))
    const removal = await this.carryOut(run, plan)
    this.answer(pruneDocument(run, plan, removal), () => renderRemoval(removal, this.output))
    const failure = removal === null ? null : failureOf(removal)
    if (failure !== null) throw failure
    if (plan.missingBytes > 0 && !this.flags['dry-run']) process.exitCode = exitStatusOf.partial
  }

  private async plan(run: Run): Promise<PrunePlan> {
    const request = await this.request(run)
    const context = { now: this.now(), wait, utcOffset }
    return this.long('checking', (options) => planPrune(this.storage, run, request, { ...context, ...options }))
  }

  /** As the flags say; where they name no policy, as the nearest `ckpt.yaml` does. */
  private async request(run: Run): Promise<PruneRequest> {
    const { flags } = this
    const typed = Object.keys(policySection.flags).filter((name) => name !== 'verify' && name in flags)
    const settings = typed.length > 0 ? null : await readSettings(this.storage, run.path, policySection)
    if (settings === null) return { ...(await readPolicy(flags)), verify: flags.verify }
    this.note(`the policy is that of ${settings.path}`)
    const { verify = flags.verify } = settings.flags as { verify?: HealthLevel }
    const level = this.argv.some((argument) => argument.startsWith('--verify')) ? flags.verify : verify
    return { ...(await readPolicy({ ...flags, ...settings.flags })), verify: level }
  }

  /** Null when nothing is to be done, or may be. */
  private async carryOut(run: Run, plan: PrunePlan): Promise<RemovalResult | null> {
    if (plan.remove.length === 0 || this.flags['dry-run']) return null
    if (!this.flags.yes && !(await confirm(renderQuestion(plan), '--yes'))) {
      throw new CkptError('refused', 'nothing was removed')
    }
    const checkpoints = plan.remove.map(({ checkpoint }) => checkpoint)
    return this.long('removing', ({ signal }) =>
      removeCheckpoints(this.storage, run.path, checkpoints, { planned: plan.fingerprints, wait, signal }),
    )
  }
}
