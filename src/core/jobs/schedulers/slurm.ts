/**
 * Slurm. Its own record of the job (`scontrol show job`) goes before the environment: sbatch hands on to a job what it
 * finds in the environment that it is called from, and there may be variables of another job in it (SLURM_RESTART_COUNT,
 * SLURM_ARRAY_JOB_ID, SLURM_STEP_ID). SLURM_JOB_ID itself is always the job's own.
 */
import type { AskScheduler, Environment, JobEnding, Scheduler, SchedulerJob } from './scheduler.js'

export const slurm: Scheduler = {
  id: 'slurm',
  title: 'Slurm',
  async detect(environment, ask) {
    const id = environment['SLURM_JOB_ID']
    if (id === undefined || id === '') return null
    const record = (await showJob(id, ask)).find((one) => one.id === id) ?? null
    const isLeader = isFirst(environment) && !(await isInStep(id, environment, record, ask))
    return toJob(id, environment, record, isLeader)
  },
  async whyEnding(job, ask) {
    const [record] = await showJob(job.id, ask)
    return record === undefined ? null : endingOf(record, job.restarts ?? 0)
  },
}

/** What Slurm says of a job (scontrol(1), show job). */
export interface JobRecord {
  readonly id: string
  /** `4711_3` of a job array's task, else the id. */
  readonly name: string
  readonly arrayTask: string | null
  readonly state: string
  readonly reason: string
  /** False where it was submitted with `--no-requeue`, or the site's JobRequeue is 0. */
  readonly mayRequeue: boolean
  readonly restarts: number
  /** False of salloc and srun. */
  readonly isBatch: boolean
  /** Unix seconds; null without a time limit. */
  readonly endsAt: number | null
  readonly isPreempted: boolean
}

/** Times as Unix seconds, whatever the zone (scontrol(1), SLURM_TIME_FORMAT). No record when Slurm gives no answer. */
async function showJob(id: string, ask: AskScheduler): Promise<readonly JobRecord[]> {
  const text = await ask(['env', 'SLURM_TIME_FORMAT=%s', 'scontrol', 'show', 'job', id])
  return text === null ? [] : parseJobs(text)
}

/**
 * The records of `scontrol show job`, which it parts with empty lines; of an array by its own number there are several.
 * A key is looked for only where a line begins, or behind known keys: names and commands are free text.
 */
export function parseJobs(text: string): readonly JobRecord[] {
  return text.split(/\n\s*\n/).flatMap((block) => {
    const find = (pattern: RegExp) => pattern.exec(block)?.[1]
    const id = find(/^JobId=(\d+) /)
    if (id === undefined) return []
    const arrayJob = find(/^JobId=\d+ ArrayJobId=(\d+) /)
    const arrayTask = find(/^JobId=\d+ ArrayJobId=\d+ ArrayTaskId=(\d+) /) ?? null
    const endsAt = find(/^\s*StartTime=\S+ EndTime=(\d+)(?!\S)/m)
    return {
      id,
      name: arrayJob === undefined || arrayTask === null ? id : `${arrayJob}_${arrayTask}`,
      arrayTask,
      state: find(/^\s*JobState=(\w+)/m) ?? '',
      reason: find(/^\s*JobState=\w+ Reason=(\S+)/m) ?? '',
      mayRequeue: find(/^\s*Requeue=(\d)/m) !== '0',
      restarts: Number(find(/^\s*Requeue=\d Restarts=(\d+)/m) ?? 0),
      isBatch: find(/^\s*Requeue=\d Restarts=\d+ BatchFlag=(\d)/m) !== '0',
      endsAt: endsAt === undefined ? null : Number(endsAt),
      isPreempted: find(/^\s*PreemptEligibleTime=\S+ PreemptTime=(\d+)(?!\S)/m) !== undefined,
    }
  })
}

const living: ReadonlySet<string> = new Set(['RUNNING', 'CONFIGURING', 'SUSPENDED', 'STOPPED', 'SIGNALING', ''])
const waiting: ReadonlySet<string> = new Set(['PENDING', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'SPECIAL_EXIT'])

/** `restarts` is what it was when this start of the job began: Slurm counts on as soon as it puts a job back. */
function endingOf(record: JobRecord, restarts: number): JobEnding | null {
  if (record.restarts > restarts || waiting.has(record.state)) return 'requeued'
  // Within the grace time of a preemption (GraceTime) the job still runs, and its batch script is sent nothing.
  if (record.isPreempted || record.state === 'PREEMPTED') return 'preempted'
  if (living.has(record.state)) return null
  return record.reason === 'TimeLimit' || record.state === 'TIMEOUT' ? 'time-limit' : 'cancelled'
}

function toJob(id: string, environment: Environment, record: JobRecord | null, isLeader: boolean): SchedulerJob {
  const name = record?.name ?? nameFrom(id, environment)
  const refusal = refusalOf(record, environment)
  return {
    scheduler: slurm.id,
    id: name,
    arrayTask: record === null ? (environment['SLURM_ARRAY_TASK_ID'] ?? null) : record.arrayTask,
    restarts: record?.restarts ?? Number(environment['SLURM_RESTART_COUNT'] ?? 0),
    isLeader,
    isChained: (environment['SLURM_JOB_DEPENDENCY'] ?? '') !== '',
    endsAt: record === null ? secondsOf(environment['SLURM_JOB_END_TIME']) : record.endsAt,
    warning: 'SIGUSR1',
    requeue: refusal === null ? ['scontrol', 'requeue', name] : null,
    requeueRefusal: refusal,
  }
}

/** By its own number, the last task of an array stands for all of them: a requeue would take every one. */
function nameFrom(id: string, environment: Environment): string {
  const [job, task] = [environment['SLURM_ARRAY_JOB_ID'], environment['SLURM_ARRAY_TASK_ID']]
  return job === undefined || task === undefined ? id : `${job}_${task}`
}

function refusalOf(record: JobRecord | null, environment: Environment): string | null {
  if (record?.isBatch === false || (record === null && environment['SLURM_PROCID'] === undefined)) {
    return 'only a job of sbatch can be requeued, not one of salloc or srun'
  }
  return record?.mayRequeue === false ? 'it may not be requeued (sbatch --requeue allows it)' : null
}

/** SLURM_JOB_END_TIME, from Slurm 23.02 on. */
function secondsOf(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

function isFirst(environment: Environment): boolean {
  return ['SLURM_PROCID', 'SLURM_NODEID'].every((name) => (environment[name] ?? '0') === '0')
}

/** Started by srun within the job. The variable may be another job's, so Slurm is asked whether there is such a step. */
async function isInStep(
  id: string,
  environment: Environment,
  record: JobRecord | null,
  ask: AskScheduler,
): Promise<boolean> {
  const step = environment['SLURM_STEP_ID']
  if (step === undefined || step === '') return false
  return record === null || (await ask(['scontrol', 'show', 'step', `${id}.${step}`])) !== null
}
