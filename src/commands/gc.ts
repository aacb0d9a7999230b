/** `ckpt gc`: prunes the idle runs below a folder. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import {
  choosingFlags,
  dryRunFlag,
  provingVerifyFlag,
  quietFlag,
  selectionFlags,
  stateFlag,
  waitFlag,
  walkFlags,
  yesFlag,
} from '../cli/flags/common-flags.js'
import { ManyRunsCommand, type ManyChoices } from '../cli/many-runs.js'
import { noRunBelow, readPolicy, readQuery } from '../cli/flags/query.js'
import { parseAge } from '../core/choosing/retention/index.js'
import type { Run } from '../core/checkpoint.js'
import { exitStatusOf } from '../core/errors.js'
import {
  arrange,
  bestKnown,
  describePolicy,
  eachRun,
  idlenessOf,
  lastTouchOf,
  planEach,
  planRun,
  type BestOfRun,
  type ManyPlans,
  type PlannedRun,
  type PruneRequest,
} from '../core/runs/index.js'
import type { ReadStorage } from '../core/storage/storage.js'
import { utcOffset, wait } from '../machine/clock.js'
import { userName } from '../machine/users-and-groups.js'
import { idleColumns, idleDocument, type IdleRun } from '../render/gc.js'
import { describeUnreadable } from '../render/prune.js'
import { describeWarnings, manyDocument, renderManyPlans } from '../render/prune-many.js'
import { plural } from '../render/units.js'

/** Ages are asked of runs here, a disk is not freed run by run, and nothing takes protection away. */
const policyFlags = without(choosingFlags, 'older-than', 'min-free', 'no-protect')
const policyNames = Object.keys({ ...policyFlags, min: 0, max: 0, by: 0 })

export default class Gc extends ManyRunsCommand<typeof Gc> {
  static override isExact = true
  static override summary = 'Reduce runs that nobody has touched for a long time to their newest and best checkpoint'
  static override description = `Looks for runs below a folder whose last write, and last job under ckpt run, is longer ago than --older-than. Shows of
each when that was, whose it is and its best value, what would stay and what would go; asks; and moves what goes into
the trash of its run (ckpt trash list), or deletes it with --delete.

Without a policy among the flags, or under gc: in the ckpt.yaml nearest to the run, the newest and the best checkpoint
of each run stay: the best by the metric that the framework judges by, else by the first evaluation that there is. What
ckpt prune protects stays too, pinned checkpoints above all; no flag turns that off.

A run that is locked, in which a job runs or waits (ckpt run, Slurm), that was written to within --quiet-for, or that is
somebody else's is left alone and listed, with exit status 6. docs/many-runs.md has a recipe for cron.`
  static override examples = [
    { description: 'what could go', command: '<%= config.bin %> gc exp --older-than 90d --dry-run' },
    { description: 'in a nightly script', command: '<%= config.bin %> gc exp --older-than 90d --yes' },
    {
      description: 'keep the three best of each too',
      command: '<%= config.bin %> gc exp --older-than 90d --keep 3 --min WER --dry-run',
    },
  ]
  static override args = {
    root: Args.string({ description: 'the folder above the runs', required: true, ignoreStdin: true }),
  }
  /** A policy is one thought, as of prune. */
  static override together = [policyNames]
  static override flags = {
    'older-than': Flags.string({
      helpValue: 'AGE',
      required: true,
      description: 'only runs that nobody has touched for longer than this: 90d, 26w',
    }),
    ...policyFlags,
    ...selectionFlags,
    all: Flags.boolean({ description: 'every run of the plan, also on a terminal' }),
    'quiet-for': quietFlag(),
    verify: provingVerifyFlag,
    others: Flags.boolean({ description: "other people's runs too" }),
    ...walkFlags,
    trash: Flags.boolean({ description: 'move into the trash (the default)', exclusive: ['delete'] }),
    delete: Flags.boolean({ description: 'delete at once, without the trash' }),
    state: stateFlag,
    wait: waitFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  /** By path, what is known of each run of the plan. */
  private readonly idle = new Map<string, IdleRun>()
  private touched = 0

  async run(): Promise<void> {
    const root = resolve(this.args.root)
    const { choices } = this
    const plans = await this.plan(root, choices)
    const found = plans.planned.length + plans.leftAlone.length
    if (found + this.touched === 0) throw noRunBelow([root], this.flags)
    if (this.touched > 0) {
      const younger = `${plural(this.touched, 'run')} touched within ${this.flags['older-than']}`
      this.note(found === 0 ? `nothing to do: ${younger}` : younger)
    }
    const view = {
      root,
      output: this.output,
      all: this.flags.all,
      now: this.now(),
      beside: idleColumns(this.idle, this.now()),
    }
    const documentOf = (many: ManyPlans, done: Parameters<typeof manyDocument>[1]) => ({
      ...manyDocument(many, done),
      idle: idleDocument(this.idle),
      touched: this.touched,
    })
    if (!this.wantsJson && found > 0) this.output.dataLines(await renderManyPlans(plans, view))
    for (const warning of describeWarnings(plans.planned, view)) this.alert(warning)
    const unread = plans.planned.some(({ plan }) => describeUnreadable(plan).length > 0)
    if (plans.leftAlone.length > 0 || unread) process.exitCode = exitStatusOf.partial
    const document = documentOf(plans, null)
    if (this.flags['dry-run'] || plans.planned.every(({ plan }) => plan.remove.length === 0)) {
      this.answer(document, () => [])
      return
    }
    await this.carryOutMany(plans, choices, view, documentOf)
  }

  private get choices(): ManyChoices {
    return this.choicesFrom(this.flags, !this.flags.delete)
  }

  private async plan(root: string, choices: ManyChoices): Promise<ManyPlans> {
    const now = this.now()
    const olderThan = parseAge('older-than', this.flags['older-than'])
    return this.walk(this.flags, async (walking) => {
      const signal = walking.signal ?? new AbortController().signal
      return planEach(eachRun(this.storage, root, { ...walking, isChanging: true, stateDirectory: choices.state }), {
        plan: (run, storage) => this.planRun(run, storage, { now, olderThan, signal }),
        whyAlone: (run, plan) => this.whyAlone(run.path, plan, now, choices),
      })
    })
  }

  /** Null where somebody has touched the run. */
  private async planRun(
    run: Run,
    storage: ReadStorage,
    { now, olderThan, signal }: { now: number; olderThan: number; signal: AbortSignal },
  ): Promise<Omit<PlannedRun, 'run'> | null> {
    const { state: stateDirectory } = this.flags
    const idleness = await idlenessOf(storage, run, { stateDirectory })
    const last = lastTouchOf(idleness)
    if (last === null || now - last < olderThan) {
      this.touched += 1
      return null
    }
    const best = await this.bestOf(run, storage, now)
    this.idle.set(run.path, { ...idleness, ownerName: userName(idleness.owner), best })
    const request = await this.requestFor(run.path, best)
    const writers = await this.writers(run.path, stateDirectory)
    return planRun(storage, run, request, { now, wait, utcOffset, writers, stateDirectory, signal })
  }

  private async bestOf(run: Run, storage: ReadStorage, now: number): Promise<BestOfRun | null> {
    const { ordered } = await arrange(storage, run.checkpoints, { orders: [], where: [] }, now)
    return bestKnown(ordered, ordered, now)
  }

  /** The policy that was typed, or that of gc: in the ckpt.yaml at or above the run; else the newest and the best. */
  private async requestFor(run: string, best: BestOfRun | null): Promise<PruneRequest> {
    const flags = await this.flagsFor(run)
    const given = { ...flags, 'older-than': undefined }
    const { verify } = flags
    const asked = { ...(await readPolicy(given)), verify, proves: verify === undefined, toTrash: !this.flags.delete }
    if (hasPolicy(flags)) return asked
    const query = await readQuery(flags)
    const orders = best?.direction === undefined ? [] : [{ kind: best.direction, key: best.by }]
    return { ...asked, query: { ...query, orders }, keep: 1 }
  }

  protected async policyOf(run: string): Promise<string> {
    return `${describePolicy(await this.requestFor(run, this.idle.get(run)?.best ?? null))} of a run untouched for ${this.flags['older-than']}`
  }
}

function hasPolicy(flags: Readonly<Record<string, unknown>>): boolean {
  return policyNames.some((name) => {
    const value = flags[name]
    return value !== undefined && value !== false && (!Array.isArray(value) || value.length > 0)
  })
}

function without<T extends object, Name extends keyof T & string>(flags: T, ...names: Name[]): Omit<T, Name> {
  const left: readonly string[] = names
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !left.includes(name))) as Omit<T, Name>
}
