/** `--keep-daily`, `--keep-weekly`, `--keep-monthly`: the newest of each of the last N periods that have any. */
import { timeOf, type Checkpoint } from '../../checkpoint.js'
import { parseCount, type Rule, type RuleContext, type RuleKind } from './rule.js'

interface Period {
  readonly flag: string
  readonly one: string
  /** The number of the period that a local time lies in; `seconds` counts from 1970 in the user's own zone. */
  readonly indexOf: (seconds: number) => number
}

const day = 86_400

const periods: readonly Period[] = [
  { flag: 'keep-daily', one: 'day', indexOf: (seconds) => Math.floor(seconds / day) },
  // 1970 began on a Thursday; weeks begin on Monday (ISO 8601).
  { flag: 'keep-weekly', one: 'week', indexOf: (seconds) => Math.floor((Math.floor(seconds / day) + 3) / 7) },
  { flag: 'keep-monthly', one: 'month', indexOf: monthOf },
]

function monthOf(seconds: number): number {
  const date = new Date(seconds * 1000)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

export const keepCalendar: readonly RuleKind[] = periods.map(toKind)

function toKind(period: Period): RuleKind {
  return {
    flag: period.flag,
    value: 'N',
    description: `keep the newest of each of the last N ${period.one}s that have checkpoints`,
    repeatable: false,
    parse: async (value) => newestOfEach(period, parseCount(period.flag, value, 1)),
  }
}

function newestOfEach(period: Period, count: number): Rule {
  return {
    label: `--${period.flag} ${count}`,
    names: ['time'],
    rescue: (pool, context) => rescueNewest(period, count, pool, context),
  }
}

function rescueNewest(period: Period, count: number, pool: readonly Checkpoint[], { utcOffset }: RuleContext) {
  const rescued = new Map<Checkpoint, string>()
  const newest = new Map<number, { readonly checkpoint: Checkpoint; readonly time: number }>()
  for (const checkpoint of pool) {
    const time = timeOf(checkpoint)
    const index = time === null ? NaN : period.indexOf(time + utcOffset(time))
    if (time === null || Number.isNaN(index)) rescued.set(checkpoint, 'its time is not known')
    else if (time > (newest.get(index)?.time ?? -Infinity)) newest.set(index, { checkpoint, time })
  }
  const last = [...newest].sort(([a], [b]) => b - a).slice(0, count)
  for (const [, { checkpoint }] of last) rescued.set(checkpoint, `the newest of its ${period.one}`)
  return rescued
}
