/** Turns the flags of `ckpt run` into the plan by which core supervises the job. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Interfaces } from '@oclif/core'
import { askScheduler } from '../../machine/ask-scheduler.js'
import { CkptError } from '../../core/errors.js'
import { parseExpression } from '../../core/choosing/expression/index.js'
import type { SignalName } from '../../core/jobs/command/index.js'
import { parseAge } from '../../core/choosing/retention/index.js'
import { schedulerOf } from '../../core/jobs/schedulers/index.js'
import { checkRequest, type PruneRequest } from '../../core/runs/index.js'
import {
  parseRetries,
  parseSimulation,
  usualLimits,
  type Enough,
  type Patience,
  type JobPlan,
  type ResumeFrom,
} from '../../core/jobs/supervise/index.js'
import { splitArguments } from '../../core/formats/text/shell-words.js'
import { policyFlags, readTraining } from './common-flags.js'
import { onlyOrder, readPolicy, readQuery } from './query.js'
import { parseStatuses, splitAtCommas, type runFlags } from './run-flags.js'

export type RunFlags = Interfaces.InferredFlags<typeof runFlags>

/** Seconds between two looks at a run; where a silence is to be noticed sooner, a quarter of that. */
const usualInterval = { least: 1, most: 5 }

/** Throws CkptError `usage`, `bad-expression`. */
export async function readPlan(run: string, command: readonly string[], flags: RunFlags): Promise<JobPlan> {
  const stall = flags.stall === undefined ? null : parseAge('stall', flags.stall)
  const { least, most } = usualInterval
  const silence = stall ?? Infinity
  return {
    path: resolve(run),
    stateDirectory: flags.state,
    command,
    resumeArgs: splitArguments(flags['resume-args'] ?? '', '--resume-args'),
    resume: {
      from: await readResumeFrom(flags),
      verify: flags.verify ?? 'quick',
      keys: splitAtCommas(flags.require ?? ''),
      leavesDamaged: flags['leave-damaged'],
      training: flags.training === undefined ? undefined : readTraining(flags.training),
    },
    environment: { ...process.env, ...(flags.state === undefined ? {} : { CKPT_STATE: flags.state }) },
    limits: flags.retries === undefined ? usualLimits : parseRetries(flags.retries),
    backOff: { first: parseAge('back-off', flags['back-off']), cap: parseAge('max-back-off', flags['max-back-off']) },
    noRetryOn: parseStatuses('no-retry-on', flags['no-retry-on'] ?? ''),
    requeueOn: parseStatuses('requeue-on', flags['requeue-on']),
    minUptime: parseAge('min-uptime', flags['min-uptime']),
    setAsideAfter: flags['set-aside-after'],
    grace: parseAge('grace', flags.grace),
    stall,
    watch: (flags.watch ?? []).map((path) => resolve(path)),
    interval: { least: Math.min(least, silence / 4), most: Math.min(most, silence / 4) },
    enough: await readEnough(flags),
    stop: {
      signal: `SIG${flags['stop-signal']}` satisfies SignalName,
      file: flags['stop-file'] === undefined ? null : resolve(flags['stop-file']),
    },
    simulations: (flags.simulate ?? []).map(parseSimulation),
    ...(await underBatch(flags)),
    again: flags.again,
    host: hostname(),
  }
}

/**
 * What is pruned after each end; null where nothing says so. An order alone is none: it may be there for `--resume-from
 * best`. Throws CkptError `refused` where nobody has said yes: in the night there is nobody to ask.
 */
export async function readPrune(flags: RunFlags): Promise<PruneRequest | null> {
  const isPolicy = (name: string) => isGiven((flags as Readonly<Record<string, unknown>>)[name])
  if (!Object.keys(policyFlags).some(isPolicy)) {
    const ranks = ['min', 'max', 'by', 'where'].filter(isPolicy)
    if (ranks.length === 0 || flags['resume-from'] === 'best') return null
    throw new CkptError('usage', `--${ranks[0] ?? ''} alone prunes nothing`, {
      hint: 'add --keep N, or --resume-from best to start from it',
    })
  }
  const request = { ...(await readPolicy(flags)), toTrash: flags.trash }
  checkRequest(request)
  if (flags.yes) return request
  throw new CkptError('refused', 'a policy removes checkpoints while nobody is there to ask', { hint: 'add --yes' })
}

/** `--patience` and its like. Throws CkptError `usage`. */
export function toPatience(
  flags: Pick<RunFlags, 'patience' | 'min-delta' | 'warmup'>,
  min: string | undefined,
  max: string | undefined,
  names: readonly [min: string, max: string],
): Patience | null {
  const key = min ?? max
  if (flags.patience === undefined && key === undefined) return null
  if (flags.patience === undefined || key === undefined) {
    const given = key === undefined ? '--patience' : min === undefined ? names[1] : names[0]
    throw new CkptError('usage', `${given} needs ${key === undefined ? names.join(' or ') : '--patience'} too`, {
      hint: `${names[0]} val_loss --patience 5`,
    })
  }
  const minDelta = Number(flags['min-delta'])
  if (!(minDelta >= 0)) throw new CkptError('usage', `--min-delta takes a number, not ${flags['min-delta']}`)
  const order = { kind: min === undefined ? ('max' as const) : ('min' as const), key }
  return { order, checkpoints: flags.patience, minDelta, warmup: flags.warmup }
}

async function underBatch(flags: RunFlags): Promise<Pick<JobPlan, 'batch' | 'warning' | 'checkpointSignal'>> {
  const batch = await schedulerOf(process.env, askScheduler)
  const warning = flags['warning-signal'] ?? batch?.job.warning ?? null
  const { 'checkpoint-signal': chosen } = flags
  return { batch, warning, checkpointSignal: chosen === 'none' ? null : (chosen ?? warning) }
}

async function readEnough(flags: RunFlags): Promise<Enough> {
  const patience = toPatience(flags, flags['stop-min'], flags['stop-max'], ['--stop-min', '--stop-max'])
  return { patience, when: await Promise.all((flags['stop-when'] ?? []).map(parseExpression)) }
}

async function readResumeFrom(flags: RunFlags): Promise<ResumeFrom> {
  const text = flags['resume-from']
  if (text === undefined) return { kind: 'newest' }
  if (text !== 'best') return { kind: 'named', text }
  return { kind: 'best', order: onlyOrder(await readQuery(flags)) }
}

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
}
