/** The attempts of a run's jobs. */
import type { RecordedAttempt, JournalContents } from '../core/changes/journal/index.js'
import { attemptsOf, removalsAndCutOff, type RemovalEntry } from '../core/changes/journal/index.js'
import { aligned } from './aligned.js'
import { printable } from './printable.js'
import { formatAge, formatNumber, plural } from './units.js'

/** One line an attempt, the oldest first, and what they come to. `stamp` gives the local time of a moment. */
export function renderLog(journal: JournalContents, stamp: (time: number) => string): string[] {
  const attempts = attemptsOf(journal.entries)
  const head = ['STARTED', 'TRY', 'FROM', 'TOOK', 'NEW', 'LOST', 'ENDED']
  const rows = attempts.map((attempt) => rowOf(attempt, stamp))
  const lost = attempts.reduce((sum, { end }) => sum + (end?.lost ?? 0), 0)
  const found = attempts.reduce((sum, { checkpoints }) => sum + checkpoints.length, 0)
  const sum = `${plural(attempts.length, 'start')}, ${plural(found, 'checkpoint')}, ${formatSeconds(lost)} lost`
  const cut = journal.unreadable === 0 ? [] : [`${plural(journal.unreadable, 'line')} of the journal cannot be read`]
  const jobs = rows.length === 0 ? [] : [...aligned([head, ...rows]), sum]
  return [...jobs, ...removalLines(removalsAndCutOff(journal.entries), stamp), ...cut]
}

/** What went, and came back; the oldest first. */
function removalLines(removals: readonly RemovalEntry[], stamp: (time: number) => string): string[] {
  if (removals.length === 0) return []
  const rows = removals.map(({ what, time, name, by, reason, policy, metrics }) => {
    const values = [...metrics].map(([key, value]) => `${key} ${formatNumber(value)}`).join(', ')
    const who = `${by.command} (user ${by.user ?? '?'}, process ${by.pid} on ${by.host})`
    return [toLocal(stamp(time)), what, name, values === '' ? '-' : values, policy === '' ? '-' : policy, who, reason]
  })
  const head = ['WHEN', 'WHAT', 'CHECKPOINT', 'METRICS', 'POLICY', 'BY', 'WHY']
  return aligned([head, ...rows.map((row) => row.map(printable))])
}

/** `2026-11-02 09:14:07`. */
export function toLocal(stamp: string): string {
  return stamp.replace('+', ' ').replace(/-(\d\d)-(\d\d)$/, ':$1:$2')
}

function rowOf({ start, checkpoints, end }: RecordedAttempt, stamp: (time: number) => string): string[] {
  return [
    toLocal(stamp(start.time)),
    String(start.attempt),
    start.checkpoint === null ? 'scratch' : printable(start.checkpoint),
    end === null ? '' : formatSeconds(end.seconds),
    String(checkpoints.length),
    end === null ? '' : formatSeconds(end.lost),
    end === null ? 'not seen' : printable(`${end.ending}: ${end.why}${describeRead(end.opened, start.checkpoint)}`),
  ]
}

/** The checkpoint that a start was seen to read is shown only where it is not the one that the start was to resume from. */
function describeRead(opened: readonly string[] = [], from: string | null): string {
  return opened.length === 0 || opened.join() === from ? '' : `; seen to read ${opened.join(', ')}`
}

function formatSeconds(seconds: number): string {
  return seconds < 1 ? '0s' : formatAge(seconds)
}

/** As `--json` gives it (docs/json.md). */
export function logDocument(run: string, journal: JournalContents) {
  const removals = removalsAndCutOff(journal.entries).map((one) => ({
    ...one,
    metrics: Object.fromEntries(one.metrics),
  }))
  return { run, attempts: attemptsOf(journal.entries).map(attemptDocument), removals, unreadable: journal.unreadable }
}

function attemptDocument({ start, checkpoints, end }: RecordedAttempt) {
  const { attempt, time: started, reason, checkpoint: from, command, host, pid, job } = start
  return {
    ...{ attempt, started, reason, from, command, host, pid, job },
    checkpoints: checkpoints.map(({ name, time, epoch, step }) => ({ name, time, epoch, step })),
    end: end === null ? null : endDocument(end),
  }
}

function endDocument({ opened = [], ...end }: NonNullable<RecordedAttempt['end']>) {
  const { time, ending, why, status, seconds, lost, next } = end
  return { time, ending, why, status, seconds, lost, next, opened }
}
