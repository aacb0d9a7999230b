/** `ckpt demote`: deletes optimizer state and keeps the weights. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { utcOffset, wait } from '../machine/clock.js'
import { confirm } from '../cli/questions/confirm.js'
import type { Run } from '../core/checkpoint.js'
import { setExitStatusForUnreadable } from '../cli/output/unreadable-exit-status.js'
import { CkptError } from '../core/errors.js'
import {
  carryOutDemotion,
  describePolicy,
  finishDemotionsOf,
  holding,
  openRun,
  planDemote,
  recordRemovals,
  recordMissedDemotions,
  remember,
  type DemotePlan,
  type DemotionDone,
} from '../core/runs/index.js'
import { stateFolderOf } from '../core/changes/state/index.js'
import { copyTime } from '../machine/exact-times.js'
import {
  choosingFlags,
  dryRunFlag,
  pruneVerifyFlag,
  runArgument,
  selectionFlags,
  stateFlag,
  waitFlag,
  yesFlag,
} from '../cli/flags/common-flags.js'
import { interruptible } from '../cli/output/progress.js'
import { readPolicy } from '../cli/flags/query.js'
import { demoteDocument, renderDemoted, renderDemotePlan, renderDemoteQuestion } from '../render/demote.js'

export default class Demote extends BaseCommand<typeof Demote> {
  static override summary = 'Delete optimizer state from checkpoints and keep the weights'
  static override description = `Deletes the state of optimizer, scheduler, scaler and random numbers from the checkpoints that the policy chooses; the
policy is that of prune, with the same protection. Shows the plan, asks, and does exactly that. A demoted
checkpoint is whole for its weights; recover passes over it. The time of its folder stays as it was, for some
frameworks rotate by it. The weights must be in files of their own: where they are not known to be, nothing is deleted.`
  static override examples = [
    {
      description: 'all that is older than the best three: the plan only',
      command: '<%= config.bin %> demote exp/save --older-than-best 3 --min loss --dry-run',
    },
    { description: 'all but the newest two, in a script', command: '<%= config.bin %> demote exp/save --keep 2 --yes' },
  ]
  static override args = { run: runArgument }
  static override together = [['older-than-best', ...Object.keys({ ...choosingFlags, ...selectionFlags })]]
  static override flags = {
    'older-than-best': Flags.integer({
      helpGroup: 'POLICY',
      helpValue: 'N',
      description: 'only what is older than each of the best N by the order named, or by the only metric there is',
    }),
    ...choosingFlags,
    ...selectionFlags,
    verify: pruneVerifyFlag(
      'how deep to look for damage: none, quick (headers), deep (every byte); left out: quick, and the newest one that stays is read whole, unless that was done before',
    ),
    state: stateFlag,
    wait: waitFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  async run(): Promise<void> {
    const stateLocation = { stateDirectory: this.flags.state }
    const run = await openRun(this.reading, resolve(this.args.run), stateLocation)
    if (this.flags['dry-run']) {
      const plan = await this.plan(run)
      this.answer(demoteDocument(run, plan, null), () => renderDemotePlan(run, plan, this.view()))
      return
    }
    const state = await stateFolderOf(this.storage, run.path, this.flags.state)
    await interruptible((signal) =>
      holding(this.storage, state, this.changing(this.flags.wait, this.flags.state, signal), 'demote', () =>
        this.demote(run.path),
      ),
    )
  }

  private view() {
    return { now: this.now(), output: this.output }
  }

  /** What was asked for, for the journal. */
  private policy = ''

  private async demote(path: string): Promise<void> {
    const state = await stateFolderOf(this.storage, path, this.flags.state)
    await finishDemotionsOf(this.storage, path, state, { wait, copyTime })
    this.readAgain()
    const run = await openRun(this.reading, path, { stateDirectory: this.flags.state })
    await recordMissedDemotions(this.storage, state, { self: this.self }, run, this.now())
    const plan = await this.plan(run)
    // Nothing is dropped that was not shown.
    if (!this.wantsJson) this.output.dataLines(renderDemotePlan(run, plan, this.view()))
    const done = plan.demote.length === 0 ? null : await this.carryOut(run, plan)
    const document = demoteDocument(run, plan, done)
    this.failWith(document)
    const failure = done === null ? null : demotionError(done)
    if (failure !== null) throw failure
    this.answer(document, () => renderDemoted(done, this.output))
  }

  private async plan(run: Run): Promise<DemotePlan> {
    const { flags } = this
    const policy = await readPolicy({ ...flags, 'remove-damaged': false })
    const { verify } = flags
    const request = { ...policy, verify, proves: verify === undefined, olderThanBest: flags['older-than-best'] }
    this.policy = describePolicy(request)
    const context = { now: this.now(), wait, utcOffset, stateDirectory: flags.state }
    const plan = await this.long('checking', (options) =>
      planDemote(this.reading, run, request, { ...context, ...options }),
    )
    for (const warning of plan.warnings) this.alert(warning)
    setExitStatusForUnreadable(plan)
    return plan
  }

  private async carryOut(run: Run, plan: DemotePlan): Promise<DemotionDone> {
    if (!this.flags.yes && !(await confirm(renderDemoteQuestion(plan), '--yes'))) {
      throw new CkptError('refused', 'Cancelled; nothing removed.')
    }
    const state = await stateFolderOf(this.storage, run.path, this.flags.state)
    const options = { wait, copyTime, now: this.now(), stateDirectory: this.flags.state }
    if (plan.proof !== null) await remember(this.storage, state, run, plan.proof)
    const done = await this.long('demoting', ({ signal }) =>
      carryOutDemotion(this.storage, run, plan, { ...options, signal }),
    )
    const reasons = new Map(plan.remove.map(({ checkpoint, reason }) => [checkpoint.name, reason.text]))
    const gone = { what: 'demoted', checkpoints: done.demoted, reasons, now: this.now() } as const
    await recordRemovals(this.storage, state, { self: this.self, policy: this.policy }, gone)
    return done
  }
}

function demotionError({ demoted, failed, remaining, leftovers }: DemotionDone): CkptError | null {
  if (failed.length + remaining.length + leftovers.length === 0) return null
  const lines = [
    ...failed.map(({ name, error }) => `  ${name} stays as it was: ${error.message}`),
    ...remaining.map(({ name }) => `  ${name} stays as it was: interrupted before its turn`),
    ...leftovers.map(({ path, error }) => `  ${path} is left over: ${error.message}`),
  ]
  const count = failed.length + remaining.length
  return new CkptError(
    remaining.length > 0 ? 'interrupted' : 'partial',
    [`demoted ${demoted.length}, and ${count} stay as they were`, ...lines].join('\n'),
    { hint: 'the same command again goes on where this one stopped' },
  )
}
