/** `ckpt rm`: deletes the checkpoints that are named. */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { confirm } from '../cli/questions/confirm.js'
import { checkpointsArgument, dryRunFlag, stateFlag, trashFlag, waitFlag, yesFlag } from '../cli/flags/common-flags.js'
import { writersOf } from '../cli/run-writers.js'
import type { Run } from '../core/checkpoint.js'
import { removalError } from '../core/changes/disposal/index.js'
import { CkptError } from '../core/errors.js'
import { byRun, type Named } from '../core/runs/opening/checkpoint-arguments.js'
import {
  carryOut,
  intentOf,
  openCheckpoint,
  openRun,
  planRemoval,
  type PrunePlan,
  type Writers,
} from '../core/runs/index.js'
import { utcOffset, wait } from '../machine/clock.js'
import { copyTime } from '../machine/exact-times.js'
import { baseOf } from '../machine/working-folder.js'
import { pruneDocument, renderGoing, renderQuestion, renderRemoval } from '../render/prune.js'
import { printable } from '../render/printable.js'

export default class Rm extends BaseCommand<typeof Rm> {
  static override summary = 'Remove the named checkpoints'
  static override description = `Shows what goes, asks, and removes exactly that; --trash moves it aside instead. What prune protects is protected
here too: the newest whole checkpoint, one that is pinned or that a pointer names, one with an impossible metric and
one still being written. If one of the named ones is protected, nothing is removed (exit status 5).
To remove by a rule (all but the best two), use ckpt prune.`
  static override examples = [
    {
      description: 'one checkpoint: look first',
      command: '<%= config.bin %> rm exp/save/CKPT+2026-11-02+09-14-07+00 --dry-run',
    },
    {
      description: 'the worst, to the trash, in a script',
      command: `<%= config.bin %> rm "$(<%= config.bin %> find exp/save --by WER)" --trash --yes`,
    },
  ]
  static override args = { checkpoint: checkpointsArgument }
  static override flags = {
    trash: trashFlag,
    'no-protect': Flags.boolean({ description: 'remove protected checkpoints too' }),
    state: stateFlag,
    wait: waitFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  async run(): Promise<void> {
    const named: Named<string>[] = []
    for (const argument of this.args.checkpoint) {
      const { run, checkpoint } = await openCheckpoint(this.reading, argument, baseOf(argument), this.stateLocation)
      named.push({ run: run.path, found: checkpoint.name })
    }
    const groups = [...byRun(named)].map(([path, names]) => ({ path, names: [...new Set(names)] }))
    const documents: object[] = []
    // Of several runs none is touched before all of them allow it.
    if (this.flags['dry-run'] || groups.length > 1) {
      for (const { path, names } of groups) {
        const run = await openRun(this.reading, path, this.stateLocation)
        const plan = await this.plan(run, names)
        documents.push(pruneDocument(run, plan, null))
        if (this.flags['dry-run']) this.show(run, plan)
      }
    }
    if (!this.flags['dry-run']) {
      documents.length = 0
      for (const { path, names } of groups) {
        await this.locked(path, this.flags, async () => {
          this.readAgain()
          documents.push(await this.remove(path, names, groups.length > 1))
        })
      }
    }
    this.answer({ runs: documents }, () => [])
  }

  private get stateLocation() {
    return { stateDirectory: this.flags.state }
  }

  private async plan(run: Run, names: readonly string[]): Promise<PrunePlan> {
    const request = { names, protect: !this.flags['no-protect'], toTrash: this.flags.trash }
    const writers: Writers = await writersOf(
      this.storage,
      run.path,
      this.flags.state,
      this.changing('0s', this.flags.state),
    )
    const plan = await this.long('checking', (work) =>
      planRemoval(this.reading, run, request, {
        now: this.now(),
        wait,
        utcOffset,
        writers,
        ...this.stateLocation,
        ...work,
      }),
    )
    for (const warning of plan.warnings) this.alert(warning)
    return plan
  }

  private show(run: Run, plan: PrunePlan): void {
    if (!this.wantsJson) this.output.dataLines(renderGoing(run, plan, { now: this.now(), output: this.output }))
  }

  /** Gives the document of what was done. `several`: the question says which run it is of. */
  private async remove(path: string, names: readonly string[], several: boolean): Promise<object> {
    const run = await openRun(this.reading, path, this.stateLocation)
    const plan = await this.plan(run, names)
    // Nothing is deleted that was not shown.
    this.show(run, plan)
    const { trash, yes } = this.flags
    const question = renderQuestion(plan, this.now(), trash)
    if (!yes && !(await confirm(several ? `${printable(path)}: ${question}` : question, '--yes'))) {
      throw new CkptError('refused', 'Cancelled; nothing removed.')
    }
    const removal = await this.long('removing', ({ signal }) =>
      carryOut(this.storage, run, intentOf(plan).going, {
        ...this.stateLocation,
        wait,
        copyTime,
        now: this.now(),
        trash,
        signal,
        by: { self: this.self, policy: 'named' },
      }),
    )
    const document = pruneDocument(run, plan, removal)
    this.failWith({ runs: [document] })
    const failure = removalError(removal)
    if (failure !== null) throw failure
    if (!this.wantsJson) this.output.dataLines(renderRemoval(removal, this.output, trash))
    return document
  }
}
