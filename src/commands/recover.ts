/** `ckpt recover`: the newest whole checkpoint, to resume from; with a command, starts that. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { noteAccess } from '../machine/access-times.js'
import { wait } from '../machine/clock.js'
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { CkptError } from '../core/errors.js'
import { type StartCandidate, type PassedOver } from '../core/runs/recovering/pass-over-damaged.js'
import {
  fillArguments,
  namesCheckpoint,
  jobEnvironment,
  runChild,
  stage,
  type LinkKind,
} from '../core/jobs/command/index.js'
import {
  choose,
  chooseOrBegin,
  clearObstacles,
  neverFinished,
  openRunIfAny,
  openRunToGoOn,
  openRunToGoOnIfAny,
  clearedFor,
  clearedForFirst,
  type ClearedFolder,
  tellObstacles,
  type ChooseContext,
  type ChooseRequest,
  type RunToGoOn,
} from '../core/runs/index.js'
import { LoneStart, startMessage } from '../core/jobs/supervise/index.js'
import { leaveDamagedFlag, runArgument, selectionFlags, verifyFlag, stateFlag } from '../cli/flags/common-flags.js'
import { JobCommand } from '../cli/job-command.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import { toDocument } from '../render/checkpoints.js'
import { clearedLines } from '../render/cleared-obstacles.js'
import { printable } from '../render/printable.js'
import { placingHooks } from '../cli/file-hooks.js'
import { processSignals, startChild } from '../machine/run-child.js'

const linkKinds = ['hard', 'symbolic', 'copy'] as const

export default class Recover extends JobCommand<typeof Recover> {
  static override isReader = true
  static override summary = 'Find what to resume from, put it where a job will look, or start the job with it'
  static override description = `Takes the newest checkpoint that is whole (or the best, with --min, --max, --by), and says on stderr which it
passed over and why. Alone it prints the path. With --into it puts the checkpoint into a folder, in one step. With
a command after -- it fills {path}, {name}, {step}, {epoch}, {file:KEY} and {meta:KEY} in, sets CKPT_PATH, CKPT_NAME,
CKPT_STEP, CKPT_EPOCH, CKPT_META_<KEY> and CKPT_FILE_<KEY>, and runs it; its exit status is the command's.

Without any checkpoint the exit status is 3; with a command it is a first start: arguments with a placeholder are left
out, and where an argument is nothing else, so is the flag before it (--resume_from_checkpoint {path}). A run in which
no save was ever finished counts as a first start, too. Where checkpoints were finished and none is whole any more, the
exit status is 4, and nothing is started.

With -r the folders below (lightning_logs/version_N, Hydra's dated ones, W&B's runs) may be one job's, begun again in a
new one each time: the newest whole checkpoint of all is taken. Jobs are recognised by the hyper-parameters and the
command beside their checkpoints; where several remain, or nothing shows which is which, the exit status is 5.

A framework that resumes by itself (SpeechBrain always; --resume_from_checkpoint=True, ckpt_path="last") takes what it
finds. So damaged checkpoints that it would take before the chosen one are moved to the trash first: ckpt trash restore
brings them back, a pinned one stops the start (exit status 5), and --leave-damaged leaves them.`
  static override examples = [
    { description: 'the path to resume from', command: '<%= config.bin %> recover exp/save' },
    {
      description: 'in a job script, with SpeechBrain, which resumes by itself',
      command: '<%= config.bin %> recover exp/save -- python train.py hparams.yaml',
    },
    {
      description: 'with Lightning, each start of which makes a version_N of its own',
      command: '<%= config.bin %> recover -r lightning_logs -- python train.py --ckpt_path {path}',
    },
    {
      description: 'with the Hugging Face Trainer',
      command: '<%= config.bin %> recover out -- python train.py --resume_from_checkpoint {path}',
    },
    {
      description: 'start a new run from the best',
      command: '<%= config.bin %> recover exp/save --min WER --into exp2/save --link hard --require model,optimizer',
    },
  ]
  static override args = { run: runArgument }
  static override flags = {
    into: Flags.string({ helpValue: 'FOLDER', description: 'put the checkpoint into this folder; never overwrites' }),
    link: Flags.custom<LinkKind>({
      options: [...linkKinds],
      default: 'copy',
      description: 'how --into puts it there: as hard links, symbolic links, or a copy (shared blocks where it can)',
    })(),
    require: Flags.string({ helpValue: 'KEY,…', description: 'only a checkpoint that has these parameter files' }),
    recursive: Flags.boolean({
      char: 'r',
      description: 'the run may be spread over folders below, one for each start of its job',
    }),
    required: Flags.boolean({
      description: 'without any checkpoint, exit with status 3 instead of starting the command',
    }),
    verify: verifyFlag('how deep it is checked: none, quick (headers), deep (every byte)', 'quick'),
    ...selectionFlags,
    'leave-damaged': leaveDamagedFlag(),
    state: stateFlag,
  }
  static override usage = 'recover [RUN] [FLAGS] [-- COMMAND [ARGUMENT...]]'

  async run(): Promise<void> {
    this.checkUsage()
    await this.refuseWord(this.args.run)
    const path = resolve(this.args.run)
    const mayBeFirst = this.command.length > 0 && !this.flags.required
    const { state: stateDirectory, recursive: mayBeSpread } = this.flags
    const options = { stateDirectory, mayBeSpread, command: this.command }
    const opened = await (mayBeFirst
      ? openRunToGoOnIfAny(this.reading, path, options)
      : openRunToGoOn(this.reading, path, options))
    for (const { path: folder } of opened?.weightsAlone ?? []) {
      this.alert(`passed over what is in ${printable(folder)}: nothing there that a job could go on from`)
    }
    const run = opened?.run ?? null
    if (run !== null) this.refuseAbove(run)
    if (this.command.length > 0) return this.start(path, opened)
    if (run === null) return
    const { checkpoint, passedOver } = await this.choose(run)
    const staged = await this.putInto(checkpoint)
    const into = this.flags.into === undefined ? null : staged.path
    if (this.wantsJson) this.answer({ run: run.path, checkpoint: toDocument(checkpoint), passedOver, into }, () => '')
    else this.output.value(staged.path, '\n')
  }

  /** A checkpoint in a folder above the run would be taken for the run itself from then on. */
  private refuseAbove({ path }: Run): void {
    const { into } = this.flags
    if (into === undefined || !path.startsWith(`${resolve(into).replace(/\/$/, '')}/`)) return
    throw new CkptError('refused', `${printable(resolve(into))}: the run ${printable(path)} lies in it`, {
      hint: 'name the folder that the new job saves into: --into exp2/save',
    })
  }

  /** `path` is the run as it was named; null where nothing has been saved there. */
  private async start(path: string, opened: RunToGoOn | null): Promise<void> {
    const run = opened?.run ?? null
    const lone = await LoneStart.open(this.storage, path, {
      now: () => this.now(),
      wait,
      command: this.command,
      host: hostname(),
      noteAccess,
      stateDirectory: this.flags.state,
      onFailure: (message) => this.alert(`how this job began is not remembered: ${message}`),
    })
    if (run === null) for (const one of await neverFinished(this.reading, path)) this.tellPassedOver(one)
    const chosen = run === null ? null : await this.chooseStart(run, lone)
    const staged = chosen === null ? null : await this.putInto(chosen)
    // What cannot be filled in is reported before anything is moved.
    const filled = fillArguments(this.command, staged)
    const environment = jobEnvironment(process.env, staged)
    const folders =
      opened === null ? clearedForFirst(path, lone.fromNothing?.startedAt) : clearedFor(opened, chosen, lone.doubted)
    if (this.flags.into === undefined) for (const one of folders) await this.clear(one)
    this.note(printable(startMessage(path, staged, 1, opened?.parts.length)))
    const [command = '', ...args] = filled
    const { status, failure } = await lone.during(staged, () =>
      runChild(startChild, processSignals, command, args, environment),
    )
    if (failure !== null) this.alert(failure)
    process.exitCode = status
  }

  /** Null: a first start. */
  private async chooseStart(run: Run, { fromNothing, doubted }: LoneStart): Promise<Checkpoint | null> {
    const isExact = this.flags['leave-damaged'] || this.flags.required || this.flags.into !== undefined
    if (isExact) return (await this.choose(run)).checkpoint
    const chosen = await this.chooseBy((request, context) =>
      chooseOrBegin(this.reading, run, request, { ...context, fromNothing, doubted }),
    )
    return chosen?.checkpoint ?? null
  }

  private async clear({ run, checkpoint: chosen, cutSince, doubted }: ClearedFolder): Promise<void> {
    const request = { verify: this.flags.verify, keys: this.keys, cutSince, doubted }
    const look = { now: this.now(), wait }
    const { state: stateDirectory } = this.flags
    const lock = this.changing('1m', stateDirectory)
    const cleared = this.flags['leave-damaged']
      ? await tellObstacles(this.storage, run, chosen, request, look)
      : await clearObstacles(this.storage, run, chosen, request, { stateDirectory, lock, look })
    const isNamed = namesCheckpoint(this.command)
    for (const line of clearedLines(cleared, run, chosen, isNamed)) this.alert(line)
  }

  private tellPassedOver({ name, reasons }: PassedOver): void {
    this.alert(`passed over ${printable(name)}: ${reasons.join('; ')}`)
  }

  private choose(run: Run): Promise<StartCandidate> {
    return this.chooseBy((request, context) => choose(this.reading, run, request, context))
  }

  private async chooseBy<T extends Chosen | null>(
    by: (request: ChooseRequest, context: ChooseContext) => Promise<T>,
  ): Promise<T> {
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const request = { query, verify: this.flags.verify, keys: this.keys }
    return this.long('checking', async (options) => {
      const context = { now: this.now(), wait, ...options, onPassedOver: (one: PassedOver) => this.tellPassedOver(one) }
      const chosen = await by(request, context)
      for (const warning of chosen?.warnings ?? []) this.alert(warning)
      return chosen
    })
  }

  private get keys(): string[] {
    const keys = this.flags.require?.split(',') ?? []
    return keys.map((key) => key.trim()).filter((key) => key !== '')
  }

  /** The checkpoint where --into put it, or where it is. */
  private async putInto(checkpoint: Checkpoint): Promise<Checkpoint> {
    const { into, link } = this.flags
    if (into === undefined) return checkpoint
    await this.refuseBegun(resolve(into))
    const hooks = await this.hooks()
    const { path } = await this.long('placing', ({ signal, onProgress }) => {
      const through = hooks.length === 0 ? undefined : placingHooks(this.storage, hooks, checkpoint, signal)
      return stage(this.storage, checkpoint, resolve(into), { link, wait, signal, onProgress, through })
    })
    const files = checkpoint.files.map((file) => ({ ...file, path: path + file.path.slice(checkpoint.path.length) }))
    return { ...checkpoint, path, files }
  }

  /** A job that has begun has checkpoints of its own: an old one beside them would change what it resumes from. */
  private async refuseBegun(into: string): Promise<void> {
    const begun = await openRunIfAny(this.storage, into)
    if (begun?.path !== into) return
    throw new CkptError('refused', `${into}: a job has begun here: ${begun.checkpoints.length} checkpoints`, {
      hint: 'name another folder with --into, or move these away',
    })
  }
}

type Chosen = StartCandidate & { readonly warnings: readonly string[] }
