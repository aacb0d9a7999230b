/** `ckpt submit`: a `ckpt run` as a job of Slurm. */
import { basename, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { ownProgram } from '../machine/own-program.js'
import { CkptError } from '../core/errors.js'
import { pathsNear } from '../core/checkpoints/layouts/index.js'
import { orList } from '../core/nearest.js'
import { batchScript, callsRun } from '../core/jobs/schedulers/index.js'
import { splitArguments } from '../core/formats/text/shell-words.js'
import { dryRunFlag, runArgument } from '../cli/flags/common-flags.js'
import { JobCommand } from '../cli/job-command.js'
import { passedOn } from '../cli/flags/forward-flags.js'
import { runSbatch } from '../machine/run-sbatch.js'
import RunCommand from './run.js'

const helpGroup = 'SLURM'

const orderOfArguments = 'the script comes first, then the run: ckpt submit train.sh exp/save'

/** Bytes. Slurm itself takes no more (max_script_size). */
const largestScript = 4 << 20

export default class Submit extends JobCommand<typeof Submit> {
  static override summary = 'Submit a job script to Slurm so that the job survives the time limit'
  static override description = `Adds what is missing to the script's #SBATCH lines (--requeue, --signal=B:USR1@120, --open-mode=append),
and runs what the script does under ckpt run, with the run and the flags that are given here; --dry-run shows the
result. A script that calls ckpt run itself is only completed. Prints the ids of the jobs. What stands after -- are
the script's arguments, and placeholders of ckpt run in them ({path}) are filled at each start.

In a job array %a in the run's path stands for the task's index, so that each task has a run of its own.`
  static override examples = [
    {
      description: 'see what would be submitted',
      command: '<%= config.bin %> submit train.sh exp/save --retries 3 --dry-run',
    },
    {
      description: 'with arguments for the script',
      command: '<%= config.bin %> submit train.sh out -- --resume_from_checkpoint {path}',
    },
    {
      description: 'four jobs, each of which continues where the one before it ended',
      command: '<%= config.bin %> submit train.sh exp/save --chain 4',
    },
    { description: 'a job array', command: '<%= config.bin %> submit train.sh exp-%a/save --array 1-9' },
  ]
  static override usage = 'submit SCRIPT [RUN] [FLAGS] [-- ARGUMENT...]'
  static override args = {
    script: Args.string({ name: 'SCRIPT', description: 'a shell script', required: true, ignoreStdin: true }),
    run: runArgument,
  }
  static override flags = {
    ...RunCommand.flags,
    array: Flags.string({
      helpGroup,
      helpValue: 'INDICES',
      description: 'a job array, as sbatch takes it: 0-9, 1,3,5%2',
    }),
    chain: Flags.integer({
      helpGroup,
      helpValue: 'N',
      min: 1,
      description: 'submit this many jobs, each after the one before it (--dependency=afterany); none is requeued then',
    }),
    sbatch: Flags.string({
      helpGroup,
      helpValue: 'WORDS',
      default: '',
      description: "more options for sbatch: '--partition gpu --time 8:00:00'",
    }),
    'dry-run': dryRunFlag,
  }

  async run(): Promise<void> {
    const { script: path } = this.args
    const options = [...this.arrayOption(), ...splitArguments(this.flags.sbatch, '--sbatch')]
    const script = await this.script(path, options)
    const jobs = this.flags['dry-run'] ? [] : await this.submit(script, options)
    const document = { script: resolve(path), submitted: script, jobs }
    if (this.flags['dry-run'] && !this.wantsJson) this.output.exact(script)
    else this.answer(document, () => jobs)
  }

  private arrayOption(): string[] {
    return this.flags.array === undefined ? [] : [`--array=${this.flags.array}`]
  }

  private async script(path: string, options: readonly string[]): Promise<string> {
    const script = await this.read(resolve(path))
    return batchScript({
      name: basename(path),
      script,
      options,
      isChained: this.flags.chain !== undefined,
      wrap: callsRun(script) ? this.noWrap(path) : this.wrap(script),
    })
  }

  private async read(path: string): Promise<string> {
    const [text] = await this.storage.read([path], largestScript)
    if (text?.ok === false && text.error.code === 'not-found') {
      throw new CkptError('not-found', `${path}: no such job script`, {
        hint: await this.hintForAbsent(path),
        cause: text.error,
      })
    }
    if (text?.ok === false && text.error.errno === 'EISDIR') {
      throw new CkptError('usage', `${path} is a folder, not a job script`, { hint: orderOfArguments })
    }
    if (text?.ok !== true) throw text?.error ?? new CkptError('not-found', `${path} cannot be read`)
    return new TextDecoder().decode(text.value)
  }

  private async hintForAbsent(path: string): Promise<string> {
    const near = await pathsNear(this.storage, path, { isFolder: false })
    return near.length === 0 ? orderOfArguments : `did you mean ${orList(near)}?`
  }

  /** What is given here would have no effect. */
  private noWrap(path: string): null {
    const given = passedOn(this.ownArguments(), RunCommand.flags)
    if (given.length === 0) return null
    throw new CkptError('usage', `${path} calls ckpt run itself, so ${given[0] ?? ''} has no effect here`, {
      hint: 'put it there, behind ckpt run',
    })
  }

  private wrap(script: string) {
    const run = resolve(this.args.run)
    const isArray = this.flags.array !== undefined || /^#SBATCH\s.*(--array|-a)\b/m.test(script)
    if (isArray && !run.includes('%a')) {
      throw new CkptError('usage', `${run}: the tasks of a job array would all train into this run`, {
        hint: 'name one for each: exp-%a/save, where %a is the index of the task',
      })
    }
    const program = ownProgram()
    return { program, run, flags: passedOn(this.ownArguments(), RunCommand.flags) }
  }

  /** The ids of the jobs; those that were submitted stay where a later one is refused. */
  private async submit(script: string, options: readonly string[]): Promise<string[]> {
    const jobs: string[] = []
    for (let link = 0; link < (this.flags.chain ?? 1); link++) {
      const before = jobs.at(-1)
      const dependency = before === undefined ? [] : [`--dependency=afterany:${before}`]
      try {
        const name = basename(this.args.script)
        jobs.push(await runSbatch({ name, script, options: [...options, ...dependency], args: this.command }))
      } catch (error) {
        if (jobs.length === 0 || !(error instanceof CkptError)) throw error
        throw new CkptError('partial', `submitted ${jobs.join(', ')}, and then: ${error.message}`, { cause: error })
      }
    }
    return jobs
  }
}
