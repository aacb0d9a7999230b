import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { wait } from '../machine/clock.js'
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { CkptError } from '../core/errors.js'
import { type Candidate, type PassedOver } from '../core/runs/pass-over.js'
import { fillArguments, jobEnvironment, runChild, stage, type LinkKind } from '../core/jobs/command/index.js'
import { choose, neverFinished, openRun, openRunIfAny } from '../core/runs/index.js'
import { runArgument, selectionFlags, verifyFlag, stateFlag } from '../cli/flags.js'
import { JobCommand } from '../cli/job-command.js'
import { onlyOrder, readQuery } from '../cli/query.js'
import { toDocument } from '../render/checkpoints.js'
import { printable } from '../render/printable.js'
import { placingHooks } from '../cli/file-hooks.js'
import { processSignals, startChild } from '../machine/run-child.js'

const linkKinds = ['hard', 'symbolic', 'copy'] as const

export default class Recover extends JobCommand<typeof Recover> {
  static override isReader = true
  static override summary = 'Find what to resume from, put it where a job will look, or start the job with it'
  static override description = `Takes the newest checkpoint that is whole (or the best, with --min, --max, --by), and tells on stderr which it
passed over and why. Alone it prints the path. With --into it puts the checkpoint into a folder, in one step. With
a command after -- it fills {path}, {name}, {file:KEY} and {meta:KEY} in, sets CKPT_PATH, CKPT_NAME,
CKPT_META_<KEY> and CKPT_FILE_<KEY>, and runs it; its exit status is the command's.

No checkpoint at all is exit status 3, and with a command a first start: arguments that hold a placeholder vanish,
and with one that is nothing else the flag before it (--resume {path}). Checkpoints of which none is whole are exit
status 4, and nothing is started.`
  static override examples = [
    { description: 'the path to resume from', command: '<%= config.bin %> recover exp/save' },
    {
      description: 'in a job script',
      command: '<%= config.bin %> recover exp/save -- python train.py --resume {path}',
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
    required: Flags.boolean({ description: 'no checkpoint at all is exit status 3 with a command too' }),
    verify: verifyFlag('how deep it is checked: none, quick (headers), deep (every byte)', 'quick'),
    ...selectionFlags,
    state: stateFlag,
  }
  static override usage = 'recover [RUN] [FLAGS] [-- COMMAND [ARGUMENT...]]'

  async run(): Promise<void> {
    this.checkUsage()
    const path = resolve(this.args.run)
    const mayBeFirst = this.command.length > 0 && !this.flags.required
    const place = { stateDirectory: this.flags.state }
    const run = await (mayBeFirst ? openRunIfAny(this.storage, path, place) : openRun(this.storage, path, place))
    if (run === null) {
      for (const one of await neverFinished(this.storage, path)) this.tellPassedOver(one)
      return this.resume(null)
    }
    const chosen = await this.choose(run)
    const placed = await this.place(chosen.checkpoint)
    if (this.command.length > 0) return this.resume(placed)
    const { checkpoint, passedOver } = chosen
    const into = this.flags.into === undefined ? null : placed.path
    if (this.wantsJson) this.answer({ run: run.path, checkpoint: toDocument(checkpoint), passedOver, into }, () => '')
    else this.output.value(placed.path, '\n')
  }

  private tellPassedOver({ name, reasons }: PassedOver): void {
    this.alert(`passed over ${printable(name)}: ${reasons.join('; ')}`)
  }

  private async choose(run: Run): Promise<Candidate> {
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const keys =
      this.flags.require
        ?.split(',')
        .map((key) => key.trim())
        .filter((key) => key !== '') ?? []
    const context = { now: this.now(), wait }
    return this.long('checking', async (options) => {
      const chosen = await choose(
        this.storage,
        run,
        { query, verify: this.flags.verify, keys },
        {
          ...context,
          ...options,
          onPassedOver: (one) => this.tellPassedOver(one),
        },
      )
      for (const warning of chosen.warnings) this.alert(warning)
      return chosen
    })
  }

  /** The checkpoint where --into put it, or where it is. */
  private async place(checkpoint: Checkpoint): Promise<Checkpoint> {
    const { into, link } = this.flags
    if (into === undefined) return checkpoint
    await this.refuseBegun(resolve(into))
    const hooks = await this.hooks()
    const { path } = await this.long('placing', ({ signal }) => {
      const through = hooks.length === 0 ? undefined : placingHooks(this.storage, hooks, checkpoint, signal)
      return stage(this.storage, checkpoint, resolve(into), { link, wait, signal, through })
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

  private async resume(checkpoint: Checkpoint | null): Promise<void> {
    const [command = '', ...args] = fillArguments(this.command, checkpoint)
    const environment = jobEnvironment(process.env, checkpoint)
    this.note(checkpoint === null ? 'no checkpoint yet: a first start' : `resuming from ${printable(checkpoint.path)}`)
    const { status, failure } = await runChild(startChild, processSignals, command, args, environment)
    if (failure !== null) this.alert(failure)
    process.exitCode = status
  }
}
