/** `ckpt prune`: deletes checkpoints by a policy, after showing the plan. */
import { dirname, resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { utcOffset, wait } from '../machine/clock.js'
import { agreeOnPlan } from '../cli/questions/agree-on-plan.js'
import type { Run } from '../core/checkpoint.js'
import type { HealthOptions } from '../core/checkpoints/health/index.js'
import { removalError } from '../core/changes/disposal/index.js'
import { setExitStatusForUnreadable } from '../cli/output/unreadable-exit-status.js'
import { isRunOfFolders } from '../core/checkpoints/layouts/index.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import {
  applyPlan,
  carryOut,
  describePolicy,
  folderOfPlans,
  intentOf,
  runAsPlanned,
  openRun,
  openRunAt,
  planAgain,
  planBelow,
  planPrune,
  planToJson,
  plansToJson,
  readPlanFile,
  refuseOtherRuns,
  refusalOf,
  withPlan,
  writePlan,
  type ByHand,
  type ManyPlans,
  type Intent,
  type PruneContext,
  type Writers,
  type PrunePlan,
  type PruneRequest,
  type PlanFile,
  type WrittenPlan,
} from '../core/runs/index.js'
import { copyTime } from '../machine/exact-times.js'
import {
  dryRunFlag,
  policyFlags,
  provingVerifyFlag,
  quietFlag,
  recursiveFlag,
  runArgument,
  selectionFlags,
  stateFlag,
  trashFlag,
  waitFlag,
  walkFlags,
  yesFlag,
} from '../cli/flags/common-flags.js'
import { noRunBelow, readPolicy } from '../cli/flags/query.js'
import { printable } from '../render/printable.js'
import { describeWarnings, manyDocument, renderManyPlans } from '../render/prune-many.js'
import {
  describeUnreadable,
  intentDocument,
  pruneDocument,
  renderIntent,
  renderMissing,
  renderRemoval,
} from '../render/prune.js'

import type { TypedFlags } from '../cli/request.js'
import { ManyRunsCommand, type ManyChoices } from '../cli/many-runs.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

const policyNames = Object.keys({ ...policyFlags, ...selectionFlags })

/** Checkpoints of a run from which on memory counts for more than time. */
const mostAtEase = 20_000

export default class Prune extends ManyRunsCommand<typeof Prune> {
  static override summary = 'Remove checkpoints that no rule keeps'
  static override description = `Shows the plan with a reason for all that stays, asks, and removes exactly what the plan says.

Each ranking (the newest, --min, --max, --by) keeps its best --keep N; what none of them keeps may go. A checkpoint that
has no value for any ranking stays. --where says what may go: what it does not select stays and does not count towards
--keep. The newest whole checkpoint, one that a pointer names, one with an impossible metric (an averaged model) and one
still being written always stay; a damaged one stays too and does not count towards --keep. In a script, add --yes.

Without a policy among the flags, that of the nearest ckpt.yaml is taken, in the run or above it:

  prune: {keep: 2, min: [WER], keep-every: [epoch=10], older-than: 7d}

On a terminal the question also takes "show" (everything known about the checkpoints to be removed) and "edit" (the list
of -i). Protected checkpoints are protected there too, and the plan is shown again before anything is removed.

Before anything is removed, the newest checkpoint that stays and that a job can resume from is read to its last byte;
where it is damaged, another plan is made. The result is remembered, so that each checkpoint is read once.

With -r the policy is applied to each run below the folder by itself; where none is typed, it is that of the ckpt.yaml
nearest to the run. One plan is summed up and one question asked. --across ranks the checkpoints of all runs together. A run that is locked, in which a job runs, that was written to within
--quiet-for, or that is somebody else's is left alone and listed, with exit status 6.

A space target that cannot be met is refused (exit status 5), unless --as-far-as-possible. Exit status 6 when some could
not be removed, a space target is missed, or a checkpoint could not be read: it stays whatever the flags say.`
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
      description: 'every run below a folder, each by itself',
      command: '<%= config.bin %> prune -r exp --keep 2 --min loss --dry-run',
    },
    {
      description: 'start over',
      command: '<%= config.bin %> prune exp/save --keep 0 --no-protect --allow-empty --yes',
    },
  ]
  static override args = { run: runArgument }
  /** A policy is one thought: one on the command line, or in a nearer file, replaces another as a whole. */
  static override together = [policyNames]
  static override flags = {
    ...policyFlags,
    ...selectionFlags,
    verify: provingVerifyFlag,
    plan: Flags.file({
      helpValue: 'FILE',
      description: 'write the plan to a new file and change nothing else',
      exclusive: ['apply', 'trash'],
    }),
    apply: Flags.file({
      helpValue: 'FILE',
      description: 'carry out the plan in this file; a checkpoint that has changed since stays, with a warning',
      exclusive: ['plan', 'across', ...policyNames],
    }),
    recursive: recursiveFlag,
    all: Flags.boolean({
      description: 'with -r: every run of the plan, and each checkpoint with its reason',
      dependsOn: ['recursive'],
    }),
    across: Flags.boolean({
      description: 'with -r: rank the checkpoints of all runs together, not those of each run by themselves',
      dependsOn: ['recursive'],
    }),
    'quiet-for': quietFlag('with -r: '),
    others: Flags.boolean({ description: "with -r: other people's runs too", dependsOn: ['recursive'] }),
    ...walkFlags,
    trash: trashFlag,
    state: stateFlag,
    wait: waitFlag,
    interactive: Flags.boolean({
      char: 'i',
      description: 'first edit the plan as a list: keep a checkpoint, remove it, or look at it',
      exclusive: ['yes', 'dry-run', 'plan', 'apply', 'recursive'],
    }),
    'no-interactive': Flags.boolean({ description: 'ask only yes or no' }),
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  /** What was asked for, for the journal. */
  private policy = ''
  private wanted: PruneRequest | null = null
  private readonly alerted = new Set<string>()

  async run(): Promise<void> {
    const file = await this.readPlans()
    if (this.flags.recursive || file?.isOfMany === true) return this.pruneMany(file?.plans ?? null)
    const [written = null] = file?.plans ?? []
    const onlyShows = this.flags['dry-run'] || this.flags.plan !== undefined
    const asked = resolve(this.args.run)
    if (!onlyShows && written === null && (await isRunOfFolders(this.reading, asked))) return this.change(asked, null)
    const run =
      written === null
        ? await openRun(this.reading, asked, this.stateLocation)
        : await openRunAt(this.reading, written.run, this.stateLocation)
    if (onlyShows) {
      this.spareWhereMany(run)
      return this.show(run, await this.intend(run, written))
    }
    await this.change(run.path, written)
  }

  /** Planned under the lock: another ckpt may have changed the run while this one waited. */
  private async change(path: string, written: WrittenPlan | null): Promise<void> {
    await this.locked(path, this.flags, async () => {
      const { run, intent } = await this.agreedOn(path, written)
      await this.prune(run, intent)
    })
  }

  /**
   * What was listed for the plan, and the checkpoints as they were before they were examined, are let go with it: a run can
   * have a hundred thousand.
   */
  private async agreedOn(path: string, written: WrittenPlan | null): Promise<{ run: Run; intent: Intent }> {
    this.readAgain()
    const run = await openRun(this.reading, path, this.stateLocation)
    this.spareWhereMany(run)
    const intent = await this.agree(run, written)
    this.readAgain()
    return { run: runAsPlanned(run, intent.plan), intent }
  }

  private spareWhereMany({ checkpoints }: Run): void {
    if (checkpoints.length > mostAtEase) this.program.spareMemory?.()
  }

  private get stateLocation() {
    return { stateDirectory: this.flags.state }
  }

  /** A plan names its runs: where no other is typed, their settings hold. */
  protected override async settingsFolder(path: string, flags: TypedFlags): Promise<string> {
    const { apply } = flags
    if (typeof apply !== 'string' || path !== resolve('.')) return super.settingsFolder(path, flags)
    return folderOfPlans(await this.readPlanFile(apply))
  }

  private planFile: Promise<PlanFile> | null = null
  private async readPlanFile(path: string): Promise<PlanFile> {
    return (this.planFile ??= readPlanFile(this.storage, resolve(path)))
  }

  /** Null where a plan is made now. */
  private async readPlans(): Promise<PlanFile | null> {
    const { apply } = this.flags
    if (apply === undefined) return null
    const file = await this.readPlanFile(apply)
    if (this.args.run !== '.') await refuseOtherRuns(this.storage, file, resolve(this.args.run))
    return file
  }

  private async intend(run: Run, written: WrittenPlan | null, byHand?: ByHand): Promise<Intent> {
    const intend =
      written === null ? this.planning(run, { ...(await this.once()), byHand }) : this.applying(run, written)
    const writers = await this.writers(run.path, this.flags.state)
    this.warnOfSpeechBrain(run, writers)
    const { onlyAsks } = this
    const intent = await this.long('checking', (work) =>
      intend({ now: this.now(), wait, utcOffset, writers, onlyAsks, ...this.stateLocation, ...work }),
    )
    const missing = intent.plan.missingBytes > 0 ? [renderMissing(intent.plan)] : []
    for (const text of [...intent.plan.warnings, ...missing, ...describeUnreadable(intent.plan)]) this.alertOnce(text)
    return intent
  }

  /** A plan that was changed by hand is made anew, and would tell the same again. */
  private alertOnce(text: string): void {
    if (!this.alerted.has(text)) this.alert(text)
    this.alerted.add(text)
  }

  /** Its Checkpointer lists the folders and opens each meta after that (speechbrain/utils/checkpoints.py). */
  private warnOfSpeechBrain({ path, checkpoints }: Run, { job, holding }: Writers): void {
    if (!checkpoints.some(({ layout }) => layout === 'speechbrain')) return
    if (job === null && holding([dirname(path)]).size === 0) return
    this.alertOnce(
      "a job seems to be running here: SpeechBrain's own clean-up fails (FileNotFoundError) when checkpoints vanish " +
        'beside it; ckpt run with a policy prunes between two starts',
    )
  }

  /** A plan that is written down will be carried out. */
  private get onlyAsks(): boolean {
    return this.flags['dry-run'] && this.flags.plan === undefined
  }

  private planning(run: Run, request: PruneRequest) {
    return async (context: PruneContext) => intentOf(await planPrune(this.reading, run, request, context))
  }

  private applying(run: Run, written: WrittenPlan) {
    this.policy = withPlan(written.policy, `--apply ${this.flags.apply ?? ''}`)
    return (context: PruneContext) => applyPlan(this.storage, run, written, context)
  }

  private async once(): Promise<PruneRequest> {
    return (this.wanted ??= await this.request())
  }

  private async request(): Promise<PruneRequest> {
    const [file] = policyNames.flatMap((name) => this.positions.get(name)?.path ?? [])
    if (file !== undefined) this.note(`the policy is that of ${printable(file)}`)
    const { verify, trash } = this.flags
    const request = { ...(await readPolicy(this.flags)), verify, proves: verify === undefined, toTrash: trash }
    this.policy = describePolicy(request)
    return request
  }

  /** What is to be done, shown and no more. */
  private async show(run: Run, intent: Intent): Promise<void> {
    const file = this.flags.plan
    if (file !== undefined) await this.write(file, run, intent)
    const document = intentDocument(run, intent)
    this.failWith(document)
    this.showPlan(run, intent)
    const refusal = refusalOf(intent)
    if (refusal !== null) throw refusal
    setExitStatusForUnreadable(intent.plan)
    this.answer(document, () => [])
    if (file !== undefined) this.note(`the plan is in ${file}; to do it: ckpt prune --apply ${quoteWord(file)}`)
  }

  private async write(file: string, run: Run, { plan }: Intent): Promise<void> {
    const { 'no-protect': noProtect, 'allow-empty': allowEmpty } = this.flags
    const proves = this.flags.verify === undefined
    const choices = { created: this.now(), protect: !noProtect, allowEmpty, proves, policy: this.policy }
    await writePlan(this.storage, resolve(file), planToJson(run.path, plan, choices))
  }

  private showPlan(run: Run, intent: Intent): void {
    if (!this.wantsJson) this.output.dataLines(renderIntent(run, intent, { now: this.now(), output: this.output }))
  }

  /** The plan that is to be carried out: changed by hand as often as wanted, shown, and agreed to. */
  private async agree(run: Run, written: WrittenPlan | null): Promise<Intent> {
    const { interactive, yes, trash, 'allow-empty': allowEmpty, 'no-interactive': noList } = this.flags
    const hasList = this.output.isDrawable && process.stdin.isTTY && !this.wantsJson && !noList
    return agreeOnPlan({
      planWith: (byHand) => this.intend(run, written, byHand),
      show: (intent) => this.showPlan(run, intent),
      offers: { show: hasList, edit: hasList && written === null },
      beginsWithList: interactive,
      isAgreed: yes && !interactive,
      run: run.path,
      allowEmpty,
      toTrash: trash,
      now: () => this.now(),
      output: this.output,
    })
  }

  private async prune(run: Run, { plan, going }: Intent): Promise<void> {
    const { trash } = this.flags
    const by = { self: this.self, policy: this.policy }
    const removal = await this.long('removing', ({ signal }) =>
      carryOut(this.storage, run, going, { ...this.stateLocation, wait, copyTime, now: this.now(), trash, signal, by }),
    )
    const idle = plan.remove.length === 0 && removal.finished.count === 0
    const document = pruneDocument(run, plan, idle && removal.failed.length === 0 ? null : removal)
    this.failWith(document)
    const failure = removalError(removal)
    if (failure !== null) throw failure
    if (plan.missingBytes > 0) process.exitCode = exitStatusOf.partial
    setExitStatusForUnreadable(plan)
    this.answer(document, () => (idle ? [] : renderRemoval(removal, this.output, trash)))
  }

  /** The policy for each run by itself: one plan summed up, one question, then run by run under its lock. */
  private async pruneMany(written: readonly WrittenPlan[] | null): Promise<void> {
    const root = resolve(this.args.run)
    const view = { root, output: this.output, all: this.flags.all, now: this.now() }
    const plans = written === null ? await this.planMany(root) : await this.planAgain(written)
    if (plans.planned.length + plans.leftAlone.length === 0) {
      throw noRunBelow([root], this.flags)
    }
    for (const warning of describeWarnings(plans.planned, view)) this.alert(warning)
    const document = manyDocument(plans, null)
    if (!this.wantsJson) this.output.dataLines(await renderManyPlans(plans, view))
    const unread = plans.planned.some(({ plan }) => describeUnreadable(plan).length > 0)
    if (plans.leftAlone.length > 0 || unread) process.exitCode = exitStatusOf.partial
    const count = plans.planned.reduce((sum, { plan }) => sum + plan.remove.length, 0)
    const file = this.flags.plan
    if (file !== undefined) await this.writeMany(file, plans)
    if (this.flags['dry-run'] || count === 0 || file !== undefined) {
      this.answer(document, () => [])
      return
    }
    await this.carryOutMany(plans, this.choices, view, manyDocument)
  }

  private async writeMany(file: string, { planned }: ManyPlans): Promise<void> {
    const plans = await Promise.all(
      planned.map(async ({ run, plan, written }) =>
        planToJson(run.path, plan, { ...written, policy: await this.policyOf(run.path) }),
      ),
    )
    await writePlan(this.storage, resolve(file), plansToJson(plans, this.now()))
    this.note(`the plan is in ${file}; to do it: ckpt prune -r --apply ${quoteWord(file)}`)
  }

  /** What of the plans can still be done; what cannot is reported, and once more when the rest was done. */
  private async planAgain(written: readonly WrittenPlan[]): Promise<ManyPlans> {
    const onRefused = () => void (process.exitCode = exitStatusOf.partial)
    this.policy = `--apply ${this.flags.apply ?? ''}`
    return this.long('checking', (work) =>
      planAgain(this.storage, written, this.planningOf(work), { ...this.stateLocation, onRefused }),
    )
  }

  private async planMany(root: string): Promise<ManyPlans> {
    return this.walk(this.flags, async (walking) => {
      const { signal = new AbortController().signal } = walking
      return planBelow(this.storage, root, {
        ...this.planningOf({ signal }, this.onlyAsks),
        now: this.now(),
        requestFor: (path) => this.requestFor(path),
        isAcross: this.flags.across,
        walking: { ...this.stateLocation, ...walking, isChanging: true },
      })
    })
  }

  private planningOf(work: HealthOptions, onlyAsks = false) {
    const now = this.now()
    return {
      contextOf: async (run: Run): Promise<PruneContext> => {
        const writers = await this.writers(run.path, this.flags.state)
        return { now, wait, utcOffset, writers, onlyAsks, ...this.stateLocation, ...work }
      },
      whyAlone: (run: Run, plan: PrunePlan) => this.whyAlone(run.path, plan, now, this.choices),
    }
  }

  /** The policy that was typed, or that of the ckpt.yaml at or above the run. */
  private async requestFor(run: string): Promise<PruneRequest> {
    const flags = await this.flagsFor(run)
    if (flags['min-free'] !== undefined) {
      throw new CkptError('usage', '--min-free is asked of a disk, and with -r each run would free it again', {
        hint: 'name what each run may have: --max-total',
      })
    }
    const { verify } = flags
    return { ...(await readPolicy(flags)), verify, proves: verify === undefined, toTrash: this.flags.trash }
  }

  protected async policyOf(run: string): Promise<string> {
    if (this.policy !== '') return this.policy
    const across = this.flags.across
    return `${describePolicy(await this.requestFor(across ? resolve(this.args.run) : run))}${across ? ' --across' : ''}`
  }

  private get choices(): ManyChoices {
    return this.choicesFrom(this.flags, this.flags.trash)
  }
}
