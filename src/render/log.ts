/** The attempts of a run's jobs. */
import type { RecordedAttempt, JournalContents } from '../core/changes/journal/index.js'
import { attemptsOf } from '../core/changes/journal/index.js'
import { aligned } from './aligned.js'
import { printable } from './printable.js'
import { formatAge, plural } from './units.js'

/** One line an attempt, the oldest first, and what they come to. `stamp` gives the local time of a moment. */
export function renderLog(journal: JournalContents, stamp: (time: number) => string): string[] {
  const attempts = attemptsOf(journal.entries)
  const head = ['STARTED', 'TRY', 'FROM', 'TOOK', 'NEW', 'LOST', 'ENDED']
  const rows = attempts.map((attempt) => rowOf(attempt, stamp))
  const lost = attempts.reduce((sum, { end }) => sum + (end?.lost ?? 0), 0)
  const found = attempts.reduce((sum, { checkpoints }) => sum + checkpoints.length, 0)
  const sum = `${plural(attempts.length, 'start')}, ${plural(found, 'checkpoint')}, ${formatSeconds(lost)} lost`
  const cut = journal.unreadable === 0 ? [] : [`${plural(journal.unreadable, 'line')} of the journal cannot be read`]
  return [...aligned([head, ...rows]), sum, ...cut]
}

function rowOf({ start, checkpoints, end }: RecordedAttempt, stamp: (time: number) => string): string[] {
  return [
    stamp(start.time)
      .replace('+', ' ')
      .replace(/-(\d\d)-(\d\d)$/, ':$1:$2'),
    String(start.attempt),
    start.checkpoint === null ? 'scratch' : printable(start.checkpoint),
    end === null ? '' : formatSeconds(end.seconds),
    String(checkpoints.length),
    end === null ? '' : formatSeconds(end.lost),
    end === null ? 'not seen' : printable(`${end.ending}: ${end.why}`),
  ]
}

function formatSeconds(seconds: number): string {
  return seconds < 1 ? '0s' : formatAge(seconds)
}

/** As `--json` gives it (docs/json.md). */
export function logDocument(run: string, journal: JournalContents) {
  return { run, attempts: attemptsOf(journal.entries).map(attemptDocument), unreadable: journal.unreadable }
}

function attemptDocument({ start, checkpoints, end }: RecordedAttempt) {
  const { attempt, time: started, reason, checkpoint: from, command, host, pid, job } = start
  return {
    ...{ attempt, started, reason, from, command, host, pid, job },
    checkpoints: checkpoints.map(({ name, time, epoch, step }) => ({ name, time, epoch, step })),
    end: end === null ? null : endDocument(end),
  }
}

function endDocument({ time, ending, why, status, seconds, lost, next }: NonNullable<RecordedAttempt['end']>) {
  return { time, ending, why, status, seconds, lost, next }
}
