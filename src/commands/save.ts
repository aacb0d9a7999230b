/** `ckpt save`: a checkpoint from files, in one step. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { localStamp, utcOffset, wait } from '../machine/clock.js'
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { ownMarker } from '../core/checkpoints/layouts/index.js'
import { removalError } from '../core/changes/disposal/index.js'
import { CkptError } from '../core/errors.js'
import {
  carryOut,
  checkRequest,
  describePolicy,
  intentOf,
  openExactly,
  planPrune,
  previewCheckpoint,
  type PruneRequest,
} from '../core/runs/index.js'
import { saveCheckpoint, toPyMeta, type NewCheckpoint, type Saved } from '../core/changes/saving/index.js'
import { copyTime } from '../machine/exact-times.js'
import {
  dryRunFlag,
  policyFlags,
  pruneVerifyFlag,
  runArgument,
  selectionFlags,
  stateFlag,
  waitFlag,
} from '../cli/flags/common-flags.js'
import { readPolicy } from '../cli/flags/query.js'
import { printable } from '../render/printable.js'
import { describePointed, renderPlan } from '../render/prune.js'
import { saveDocument, type SavedPrune, type SaveOutcome } from '../render/save.js'
import { readFiles, readMeta } from '../cli/flags/save-arguments.js'
import { throughHooks } from '../cli/file-hooks.js'

export default class Save extends BaseCommand<typeof Save> {
  static override summary = 'Save a checkpoint from files, in one step'
  static override description = `Makes a checkpoint CKPT+<time>+NN in the run (a folder that is made when missing), as SpeechBrain's Checkpointer
writes and loads it: one file a key, and the meta in CKPT.yaml. It appears whole and on the disk, or not at all, also
when the disk fills, when two save at once, and when ckpt is killed. Its path goes to stdout.

The value of a --meta is read as PyYAML reads it: 15.5 is a number, true a boolean, anything else a text, and so is
what stands in quotes. With --keep and the other flags of prune, it prunes after the save has succeeded, and asks
nothing; the new checkpoint always stays.`
  static override examples = [
    {
      description: 'two files, one of them from a pipe, and what is known of them',
      command:
        'echo 3 | <%= config.bin %> save exp/save --file model=out/model.safetensors --file epoch=- --meta loss=15.5',
    },
    {
      description: 'and keep the newest and the two with the lowest loss',
      command:
        '<%= config.bin %> save exp/save --file model=out/model.safetensors --meta loss=15.5 --keep 2 --min loss',
    },
    {
      description: 'under a name of its own, without a copy, in the middle of an epoch',
      command: '<%= config.bin %> save exp/save --file model=out/model.safetensors --name ep1 --move --intra-epoch',
    },
  ]
  static override args = { run: runArgument }
  static override together = [Object.keys({ ...policyFlags, ...selectionFlags })]
  static override flags = {
    file: Flags.string({
      helpValue: 'KEY=PATH',
      description: 'a file of the checkpoint, saved as KEY.ckpt; - reads standard input',
      multiple: true,
      multipleNonGreedy: true,
    }),
    meta: Flags.string({
      helpValue: 'KEY=VALUE',
      description: 'what is known of the checkpoint: a metric, the epoch',
      multiple: true,
      multipleNonGreedy: true,
    }),
    name: Flags.string({ helpValue: 'NAME', description: 'call it CKPT+NAME; never overwrites' }),
    'intra-epoch': Flags.boolean({ description: 'not at the end of an epoch: meta end-of-epoch is false' }),
    move: Flags.boolean({
      description: 'move the files in place of copying them: their old names go once the checkpoint is there',
      exclusive: ['link'],
    }),
    link: Flags.custom<'copy' | 'hard'>({
      options: ['copy', 'hard'],
      default: 'copy',
      description:
        'hard: hard links, which share their bytes with the old files: writing into those changes the checkpoint',
    })(),
    ...policyFlags,
    ...selectionFlags,
    verify: pruneVerifyFlag(
      'with a policy, how deep prune looks for damage: none, quick, deep; left out: quick, and the newest one that stays is read whole, unless that was done before',
    ),
    state: stateFlag,
    wait: waitFlag,
    'dry-run': dryRunFlag,
  }

  /** What is saved goes to exactly the folder that was named, and so its settings are those of that folder. */
  static override isExact = true

  async run(): Promise<void> {
    const policy = await this.policy()
    const checkpoint = await this.checkpoint()
    const { run, warning } = await openExactly(this.storage, checkpoint.run)
    if (warning !== null) this.alert(warning)
    if (this.flags['dry-run']) return this.preview(run, checkpoint, policy)
    const saved = await this.save(checkpoint)
    const outcome: SaveOutcome = { run: checkpoint.run, name: saved.name, path: saved.path, saved: true, prune: null }
    if (!this.wantsJson) this.output.value(saved.path, '\n')
    this.failWith(saveDocument(outcome))
    const prune = policy === null ? null : await this.pruneAlone(saved, checkpoint.run, policy)
    const document = saveDocument({ ...outcome, prune })
    this.failWith(document)
    const failure = prune?.removal == null ? null : removalError(prune.removal)
    if (failure !== null) throw failure
    if (saved.unmoved.length > 0) throw unmoved(saved)
    if (this.wantsJson) this.answer(document, () => '')
  }

  /** Null where nothing asks for a prune. Mistakes are reported before anything is saved. */
  private async policy(): Promise<PruneRequest | null> {
    const given = new Set(Object.keys({ ...policyFlags, ...selectionFlags }))
    const asked = Object.entries(this.flags).some(([name, value]) => given.has(name) && isGiven(value))
    if (!asked) return null
    const { verify } = this.flags
    const request = { ...(await readPolicy(this.flags)), verify, proves: verify === undefined }
    checkRequest(request)
    return request
  }

  private async checkpoint(): Promise<NewCheckpoint> {
    const { file = [], meta = [], name, 'intra-epoch': intra } = this.flags
    const unixtime = this.now()
    const given = await readMeta(meta)
    return {
      run: resolve(this.args.run),
      name,
      stamp: localStamp(unixtime),
      meta: toPyMeta(given, { unixtime, endOfEpoch: !intra }),
      files: throughHooks(readFiles(file, process.stdin), await this.hooks(), this.storage),
      marker: ownMarker(),
    }
  }

  private save(checkpoint: NewCheckpoint): Promise<Saved> {
    const placement = this.flags.move ? 'move' : this.flags.link
    return this.long('saving', (options) => saveCheckpoint(this.storage, checkpoint, { placement, wait, ...options }))
  }

  private get stateLocation() {
    return { stateDirectory: this.flags.state }
  }

  /** The save itself needs no lock: what it makes appears in one step, and no prune takes what is new. */
  private pruneAlone(saved: Saved, path: string, request: PruneRequest): Promise<SavedPrune | null> {
    return this.locked(path, this.flags, () => this.prune(saved, path, request))
  }

  /** Null when the new checkpoint is gone already: another one's prune was faster. */
  private async prune(saved: Saved, path: string, request: PruneRequest): Promise<SavedPrune | null> {
    const { run } = await openExactly(this.storage, path, this.stateLocation)
    const newcomer = run.checkpoints.find((one) => one.path === saved.path)
    if (newcomer === undefined) {
      this.alert(`${saved.path} was removed meanwhile, so nothing was pruned`)
      return null
    }
    const plan = await this.plan(run, newcomer, request)
    if (plan.remove.length === 0) return { run, plan, removal: null }
    const { going } = intentOf(plan)
    const removal = await this.long('removing', ({ signal }) =>
      carryOut(this.storage, run, going, {
        ...this.stateLocation,
        wait,
        copyTime,
        now: this.now(),
        trash: false,
        signal,
        by: { self: this.self, policy: describePolicy(request) },
      }),
    )
    for (const { name } of removal.removed) this.note(`removed ${printable(name)}`)
    for (const one of removal.pointed) this.note(printable(describePointed(one, 'now')))
    return { run, plan, removal }
  }

  private async plan(run: Run, newcomer: Checkpoint, request: PruneRequest) {
    const context = { now: this.now(), wait, utcOffset, ...this.stateLocation }
    const plan = await this.long('checking', (options) =>
      planPrune(this.storage, run, { ...request, newcomer }, { ...context, ...options }),
    )
    for (const warning of plan.warnings) this.alert(warning)
    return plan
  }

  private async preview(run: Run, checkpoint: NewCheckpoint, policy: PruneRequest | null): Promise<void> {
    const newcomer = await previewCheckpoint(this.storage, checkpoint)
    const { name, path } = newcomer
    const plan = policy === null ? null : await this.plan(run, newcomer, policy)
    const prune = plan === null ? null : { run, plan, removal: null }
    this.answer(saveDocument({ run: run.path, name, path, saved: false, prune }), () => path)
    if (plan === null || this.wantsJson) return
    const all = { ...run, checkpoints: [...run.checkpoints, newcomer] }
    for (const line of renderPlan(all, plan, { now: this.now(), output: this.output })) this.note(line)
  }
}

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
}

function unmoved({ path, unmoved: failures }: Saved): CkptError {
  const lines = failures.map(({ message }) => `  ${message}`)
  return new CkptError('partial', [`${path} was saved, but not all files lost their old names`, ...lines].join('\n'), {
    hint: 'they are in the checkpoint: remove the old names by hand',
  })
}
