/** What the journal tells of the starts before this one. */
import { attemptsOf, type RecordedAttempt, type JournalEntry, type JobName } from '../../changes/journal/index.js'
import { retried, type Ending, type Retried } from './classify.js'

export interface Previous {
  readonly ending: Ending
  /** Null where nobody was left to see it. */
  readonly status: number | null
}

export interface Earlier {
  /** Of the same job of the scheduler. */
  readonly attempts: number
  readonly previous: Previous | null
  /** How those ended that count, since the last new checkpoint: a job's budget outlives its way through the queue. */
  readonly spent: readonly Retried[]
  /** The last start, of whichever job, came to its end with success. */
  readonly isDone: boolean
}

/** A job that is put back into the queue keeps its id. One of restart 0 has no past, even where an older job had the same number. */
export function earlierOf(entries: readonly JournalEntry[], job: JobName): Earlier {
  const all = attemptsOf(entries)
  const own = job.restarts === 0 ? [] : all.filter(({ start }) => isOf(start.job, job))
  const last = own.at(-1)
  return {
    attempts: own.length,
    previous: last === undefined ? null : previousOf(last),
    spent: own
      .slice(
        Math.max(
          0,
          own.findLastIndex(({ checkpoints }) => checkpoints.length > 0),
        ),
      )
      .flatMap(spentBy),
    isDone: all.at(-1)?.end?.ending === 'done',
  }
}

function isOf(one: JobName | null, job: JobName): boolean {
  return one !== null && one.scheduler === job.scheduler && one.id === job.id && one.restarts < job.restarts
}

function spentBy({ end }: RecordedAttempt): Retried[] {
  return retried.filter((known) => known === end?.ending && end.next !== 'nothing')
}

/** Without an end in the journal the machine was taken away, or died. */
function previousOf({ end }: RecordedAttempt): Previous {
  if (end === null) return { ending: 'preempted', status: null }
  const ending = (['done', 'stopped', ...retried] as const).find((known) => known === end.ending) ?? 'failed'
  return { ending, status: end.status }
}
