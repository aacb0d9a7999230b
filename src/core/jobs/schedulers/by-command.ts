/**
 * Batch systems that are known by a variable and a command alone, one row each. Written from their manuals and not
 * tested against the systems themselves (docs/slurm.md).
 */
import type { Environment, Scheduler } from './scheduler.js'

interface Row {
  readonly id: string
  readonly title: string
  /** The variable that holds the job's id. */
  readonly job: string
  /** The variables that hold an array's index, the first that is set; `0` is none. */
  readonly arrayTask: readonly string[]
  /** The job as the system's commands take it. */
  readonly name: (job: string, arrayTask: string | null) => string
  readonly requeue: readonly string[]
}

const rows: readonly Row[] = [
  {
    id: 'pbs',
    title: 'PBS',
    job: 'PBS_JOBID',
    // PBS Professional and OpenPBS, then Torque. The id of a task, `4711[3].server`, has its index in it.
    arrayTask: ['PBS_ARRAY_INDEX', 'PBS_ARRAYID'],
    name: (job) => job,
    requeue: ['qrerun'],
  },
  {
    id: 'lsf',
    title: 'LSF',
    job: 'LSB_JOBID',
    arrayTask: ['LSB_JOBINDEX'],
    name: (job, arrayTask) => (arrayTask === null ? job : `${job}[${arrayTask}]`),
    requeue: ['brequeue'],
  },
]

/** A rank that mpirun, mpiexec or their like started; the first is 0. */
const ranks = ['OMPI_COMM_WORLD_RANK', 'PMIX_RANK', 'PMI_RANK']

export const schedulersByCommand: readonly Scheduler[] = rows.map((row) => ({
  id: row.id,
  title: row.title,
  async detect(environment) {
    const job = environment[row.job]
    if (job === undefined || job === '') return null
    const arrayTask = firstOf(row.arrayTask, environment) ?? null
    const id = row.name(job, arrayTask)
    return {
      scheduler: row.id,
      id,
      arrayTask,
      restarts: null,
      isLeader: (firstOf(ranks, environment) ?? null) === null,
      isChained: false,
      endsAt: null,
      warning: 'SIGUSR1',
      requeue: [...row.requeue, id],
      requeueRefusal: null,
    }
  },
  async whyEnding() {
    return null
  },
}))

/** The value of the first of the variables that is set and not `0`. */
function firstOf(names: readonly string[], environment: Environment): string | undefined {
  return names.map((name) => environment[name]).find((value) => value !== undefined && value !== '' && value !== '0')
}
