/** What came of a `ckpt run`. */
import type { JournalEntry } from '../core/changes/journal/index.js'
import type { Outcome } from '../core/jobs/supervise/index.js'
import { formatAge, plural } from './units.js'

/** One line: how it ended, after how many starts, and what was saved. `entries` are those of this `ckpt run`. */
export function describeOutcome({ ending, status }: Outcome, entries: readonly JournalEntry[]): string {
  const starts = entries.filter(({ what }) => what === 'start').length
  const how = `${ending === 'done' ? 'done' : `ended: ${ending}`} (exit status ${status})`
  if (starts === 0) return `${how}: nothing was started`
  const seconds = entries.reduce((sum, entry) => sum + (entry.what === 'end' ? entry.seconds : 0), 0)
  const time = seconds < 1 ? '' : `, ${formatAge(seconds)} of work`
  const saved = new Set(entries.flatMap((entry) => (entry.what === 'checkpoint' ? [entry.name] : [])))
  const newest = [...saved].at(-1)
  const last =
    newest === undefined ? 'no checkpoint saved' : `${plural(saved.size, 'checkpoint')} saved, last ${newest}`
  return `${how} after ${plural(starts, 'start')}${time}; ${last}`
}
