import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { askScheduler } from '../ask-scheduler.js'
import { CkptError } from '../core/errors.js'
import { splitWords, type SignalName } from '../core/jobs/index.js'
import { parseAge } from '../core/retention/index.js'
import { schedulerOf } from '../core/schedulers/index.js'
import { parseRetries, supervise, usualLimits, type Plan, type ResumeFrom } from '../core/supervise/index.js'
import { runArgument, selectionFlags, stateFlag, verifyFlag } from '../flags.js'
import { JobCommand } from '../job-command.js'
import { onlyOrder, readQuery } from '../query.js'
import { printableLines } from '../render/printable.js'
import { realWorld } from '../supervision/world.js'
import { holdingJob } from '../supervision/holding-job.js'

const helpGroup = 'RESTARTS'
const batchGroup = 'BATCH SYSTEM'

export default class RunCommand extends JobCommand<typeof RunCommand> {
  static override summary = 'Run a training command to its end: resume it, watch it, start it again'
  static override description = `Each start resumes from the newest checkpoint that is whole.`
  static override examples = [
    {
      description: 'in a job script',
      command: "<%= config.bin %> run exp/save --resume-args '--resume {path}' --retries 3 -- python train.py",
    },
  ]
  static override args = { run: runArgument }
  // The command has the terminal: there is no document.
  static override baseFlags = {
    quiet: JobCommand.baseFlags.quiet,
    'no-config': JobCommand.baseFlags['no-config'],
  } as typeof JobCommand.baseFlags
  static override flags = {
    'resume-args': Flags.string({
      helpValue: 'WORDS',
      description: "added to the command where there is a checkpoint: '--resume {path}'",
    }),
    'resume-from': Flags.string({
      helpValue: 'best|NAME|EXPR',
      description: 'not from the newest: from the best, the one of that name, or the newest for which EXPR is true',
    }),
    require: Flags.string({ helpValue: 'KEY,…', description: 'only from a checkpoint that has these parameter files' }),
    verify: verifyFlag('how deep it is checked: none, quick (headers), deep (every byte)', 'quick'),
    retries: Flags.string({
      helpGroup,
      helpValue: 'N|KIND=N,…',
      description: 'how often it is started again after each kind of end',
    }),
    'back-off': Flags.string({
      helpGroup,
      helpValue: 'TIME',
      default: '10s',
      description: 'wait before the first retry',
    }),
    'max-back-off': Flags.string({ helpGroup, helpValue: 'TIME', default: '5m', description: 'the longest wait' }),
    'no-retry-on': Flags.string({ helpGroup, helpValue: 'STATUS,…', description: 'exit statuses that are final' }),
    'requeue-on': Flags.string({
      helpGroup,
      helpValue: 'STATUS,…',
      default: '85',
      description:
        'exit statuses by which the command asks to be started again, through the scheduler where there is one',
    }),
    'min-uptime': Flags.string({
      helpGroup,
      helpValue: 'TIME',
      default: '10s',
      description: 'what fails sooner, and without a new checkpoint, never started',
    }),
    stall: Flags.string({ helpGroup, helpValue: 'TIME', description: 'it hangs after so long without a sign of life' }),
    watch: Flags.string({
      helpGroup,
      helpValue: 'PATH',
      description: 'a change of this file or folder is a sign of life too',
      multiple: true,
      multipleNonGreedy: true,
    }),
    grace: Flags.string({ helpGroup, helpValue: 'TIME', default: '30s', description: 'time to save before SIGKILL' }),
    'warning-signal': Flags.custom<SignalName>({
      helpGroup: batchGroup,
      options: ['USR1', 'USR2'],
      parse: async (name) => (name === 'USR2' ? 'SIGUSR2' : 'SIGUSR1'),
      helpValue: 'SIGNAL',
      description: 'by which the batch system says that the time limit is near; left out: USR1, of --signal=B:USR1@120',
    })(),
    'checkpoint-signal': Flags.custom<SignalName | 'none'>({
      helpGroup: batchGroup,
      options: ['USR1', 'USR2', 'HUP', 'INT', 'TERM', 'none'],
      parse: async (name) => (name === 'none' ? name : (`SIG${name}` as SignalName)),
      helpValue: 'SIGNAL',
      description:
        'what makes the command save then; left out: that same signal; none: it saves often enough by itself',
    })(),
    again: Flags.boolean({ helpGroup: batchGroup, description: 'start in a chain of jobs although the work is done' }),
    ...selectionFlags,
    state: stateFlag,
  }
  static override usage = 'run [RUN] [FLAGS] -- COMMAND [ARGUMENT...]'

  async run(): Promise<void> {
    this.checkUsage()
    if (this.command.length === 0) {
      throw new CkptError('usage', 'there is no command to run', { hint: 'ckpt run RUN -- python train.py' })
    }
    const plan = await this.plan()
    const tell = (text: string) => this.note(`ckpt: ${printableLines(text)}`)
    const world = realWorld(tell)
    // In a queue the job before this one may not have come to its very end yet.
    const options = this.changing(plan.batch === null ? '0s' : '5m', this.flags.state)
    const { status } = await holdingJob(this.storage, plan, options, tell, (journal) =>
      supervise(world, this.storage, journal, plan, {
        onCheckpoint: async () => undefined,
        onEnd: async () => undefined,
      }),
    )
    process.exitCode = status
  }

  private async plan(): Promise<Plan> {
    const { flags } = this
    return {
      path: resolve(this.args.run),
      stateDirectory: flags.state,
      command: this.command,
      resumeArgs: splitWords(flags['resume-args'] ?? '', '--resume-args'),
      resume: {
        from: await this.resumeFrom(),
        verify: flags.verify,
        keys: (flags.require ?? '').split(',').filter((key) => key !== ''),
      },
      environment: { ...process.env, ...(flags.state === undefined ? {} : { CKPT_STATE: flags.state }) },
      limits: flags.retries === undefined ? usualLimits : parseRetries(flags.retries),
      backOff: { first: parseAge('back-off', flags['back-off']), cap: parseAge('max-back-off', flags['max-back-off']) },
      noRetryOn: readStatuses('no-retry-on', flags['no-retry-on']),
      requeueOn: readStatuses('requeue-on', flags['requeue-on']),
      minUptime: parseAge('min-uptime', flags['min-uptime']),
      grace: parseAge('grace', flags.grace),
      stall: flags.stall === undefined ? null : parseAge('stall', flags.stall),
      watch: (flags.watch ?? []).map((path) => resolve(path)),
      interval: 5,
      ...(await this.underBatch()),
      again: flags.again,
      host: hostname(),
    }
  }

  private async underBatch(): Promise<Pick<Plan, 'batch' | 'warning' | 'checkpointSignal'>> {
    const batch = await schedulerOf(process.env, askScheduler)
    const warning = this.flags['warning-signal'] ?? batch?.job.warning ?? null
    const { 'checkpoint-signal': chosen } = this.flags
    return { batch, warning, checkpointSignal: chosen === 'none' ? null : (chosen ?? warning) }
  }

  private async resumeFrom(): Promise<ResumeFrom> {
    const text = this.flags['resume-from']
    if (text === undefined) return { kind: 'newest' }
    if (text !== 'best') return { kind: 'named', text }
    return { kind: 'best', order: onlyOrder(await readQuery(this.flags)) }
  }
}

function readStatuses(flag: string, text: string | undefined): ReadonlySet<number> {
  const parts = (text ?? '').split(',').filter((part) => part.trim() !== '')
  return new Set(
    parts.map((part) => {
      if (/^\s*\d{1,3}\s*$/.test(part) && Number(part) <= 255) return Number(part)
      throw new CkptError('usage', `--${flag} takes exit statuses from 0 to 255, not ${JSON.stringify(part)}`)
    }),
  )
}
