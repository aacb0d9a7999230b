/** `ckpt du`: what checkpoints take on the disk, and what pruning would free. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { choosingFlags, selectionFlags, stateFlag, walkFlags } from '../cli/flags/common-flags.js'
import { noRunBelow, readPolicy } from '../cli/flags/query.js'
import type { Run } from '../core/checkpoint.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { DiskUses, eachRun, planPrune, totalUse, type PrunePlan, type PruneRequest } from '../core/runs/index.js'
import type { ReadStorage } from '../core/storage/storage.js'
import { utcOffset } from '../machine/clock.js'
import { describeUses, renderUse, useDocument, type UseOfRun } from '../render/du.js'
import { printable } from '../render/printable.js'
import { plural } from '../render/units.js'
import { warningsOfRuns, type WarnedRun } from '../render/warnings-of-runs.js'

/** Rows of a table on a terminal unless --limit or --all says otherwise. */
const screenful = 50
const policyNames = Object.keys({ ...choosingFlags, ...selectionFlags })

export default class Du extends BaseCommand<typeof Du> {
  static override isReader = true
  static override isExact = true
  static override summary = 'Show what the checkpoints of each run take up, and what could be freed'
  static override description = `One row a run, the largest first: bytes of weights, of optimizer and other state that inference does not need, of files
that hold both, and of the rest. A file with several names counts once, for the first run that has it; a clone that
shares blocks (reflink) counts in full. FREES is what ckpt prune -r with --keep 1, or with the policy that is given
here, would free. Nothing is changed and no file is opened.`
  static override examples = [
    { description: 'every run below this folder', command: '<%= config.bin %> du' },
    { description: 'what a policy would free', command: '<%= config.bin %> du exp --keep 2 --min loss' },
  ]
  static override args = {
    root: Args.string({ description: 'the folder above the runs', ignoreStdin: true, default: '.' }),
  }
  static override flags = {
    ...choosingFlags,
    ...selectionFlags,
    limit: Flags.integer({ helpValue: 'N', min: 0, description: 'at most this many rows' }),
    all: Flags.boolean({ description: 'every row, also on a terminal', exclusive: ['limit'] }),
    ...walkFlags,
    state: stateFlag,
  }

  /** What the policy that was given is warned of, by run. */
  private readonly warned: WarnedRun[] = []

  async run(): Promise<void> {
    const root = resolve(this.args.root)
    const rows = await this.sumUp(root, await this.policy())
    if (rows.length === 0) throw noRunBelow([root], this.flags)
    for (const text of warningsOfRuns(this.warned)) this.alert(text)
    rows.sort((a, b) => totalUse(b.use) - totalUse(a.use))
    const unread = rows.flatMap(({ use }) => use.unread)
    for (const { path, reason } of unread) this.alert(`${printable(path)} could not be read: ${printable(reason)}`)
    if (unread.length > 0) process.exitCode = exitStatusOf.partial
    const shown = rows.slice(0, this.limit)
    const view = { root, output: this.output, policy: this.policyText, more: rows.length - shown.length }
    const lines = this.wantsJson ? [] : await renderUse(shown, view)
    this.answer(useDocument(shown, rows), () => lines)
    if (this.output.isTerminal && !this.wantsJson) this.note(describeUses(rows))
  }

  private get limit(): number {
    const { limit, all } = this.flags
    return limit ?? (all || !this.output.isTerminal || this.wantsJson ? Number.POSITIVE_INFINITY : screenful)
  }

  private get hasPolicy(): boolean {
    return policyNames.some((name) => this.given.has(name))
  }

  private get policyText(): string {
    return this.hasPolicy ? 'with this policy' : '--keep 1'
  }

  private async policy(): Promise<PruneRequest> {
    const flags = this.hasPolicy ? this.flags : { keep: 1 }
    return { ...(await readPolicy(flags)), verify: 'none', proves: false }
  }

  private async sumUp(root: string, request: PruneRequest): Promise<UseOfRun[]> {
    return this.walk(this.flags, async (walking) => {
      const rows: UseOfRun[] = []
      const options = { ...walking, stateDirectory: this.flags.state }
      const uses = new DiskUses(this.storage)
      for await (const { run, storage } of eachRun(this.storage, root, options)) {
        const use = await uses.of(run, storage)
        const left = run.checkpoints.length - use.gone
        if (use.gone > 0)
          this.alert(`${printable(run.path)}: ${plural(use.gone, 'checkpoint')} vanished while ckpt looked`)
        if (left === 0) continue
        const plan = await this.plan(storage, run, request)
        if (this.hasPolicy) this.warned.push({ path: run.path, warnings: plan?.warnings ?? [] })
        rows.push({
          run: run.path,
          checkpoints: left,
          use,
          freed: plan?.freedBytes ?? null,
          shared: plan?.shared ?? [],
        })
      }
      return rows
    })
  }

  /** Null where the policy cannot be asked of the run, which is reported. */
  private async plan(storage: ReadStorage, run: Run, request: PruneRequest): Promise<PrunePlan | null> {
    const context = {
      now: this.now(),
      wait: async () => Promise.resolve(),
      utcOffset,
      onlyAsks: true,
      stateDirectory: this.flags.state,
    }
    try {
      return await planPrune(storage, run, request, context)
    } catch (error) {
      if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
      this.alert(`${printable(run.path)}: ${error.message}`)
      return null
    }
  }
}
