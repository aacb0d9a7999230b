/** The jobs that Slurm has, running and waiting, and whether one of them may write to a run. */
import { dirname, isAbsolute } from 'node:path'
import type { AskScheduler } from './scheduler.js'

export interface QueuedJob {
  /** As Slurm's commands take it, of an array with the task. */
  readonly id: string
  readonly user: string
  /** `RUNNING`, `PENDING`, … */
  readonly state: string
  /** Absolute; null where Slurm names none. */
  readonly workFolder: string | null
  /** The script or the command, with its arguments. */
  readonly command: string
}

/** Fields in one order, the two free texts last (squeue(1), --Format is not in all versions). */
const format = '%i|%u|%T|%Z|%o'

/** The jobs of all users; empty without Slurm, or when it does not answer. */
export async function queuedJobs(ask: AskScheduler): Promise<readonly QueuedJob[]> {
  const text = await ask(['squeue', '--noheader', '--array', `--format=${format}`])
  return text === null ? [] : parseQueue(text)
}

export function parseQueue(text: string): readonly QueuedJob[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', user = '', state = '', folder = '', ...command] = line.trim().split('|')
    if (!/^\d+(_\d+)?$/.test(id)) return []
    return [{ id, user, state, workFolder: isAbsolute(folder) ? folder : null, command: command.join('|') }]
  })
}

/**
 * The job that the run's own journal names (`known`, by the id), that works in the run's folder or right above it, or
 * whose command names the run; null when there is none. A job that began elsewhere and names nothing is unknown.
 */
export function jobOfRun(jobs: readonly QueuedJob[], run: string, known: ReadonlySet<string>): QueuedJob | null {
  return (
    jobs.find((job) => known.has(job.id) || worksIn(job, run) || job.command.split(/[\s='"]+/).includes(run)) ?? null
  )
}

function worksIn({ workFolder }: QueuedJob, run: string): boolean {
  if (workFolder === null || workFolder === '/') return false
  return workFolder === run || workFolder.startsWith(`${run}/`) || workFolder === dirname(run)
}
