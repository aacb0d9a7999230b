/** The rule --keep-every: one checkpoint of each period of steps, epochs or another count stays. */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { toNumeric } from '../expression/index.js'
import type { Rule, RuleKind } from './rule.js'

export const keepEvery: RuleKind = {
  flag: 'keep-every',
  value: 'KEY=N',
  description: 'keep those whose KEY is a multiple of N, or else the nearest to each multiple: epoch=10',
  repeatable: true,
  parse: async (value) => multiplesOf(...parsePeriod(value)),
}

function parsePeriod(value: string): [key: string, period: number] {
  const split = value.lastIndexOf('=')
  const key = value.slice(0, Math.max(split, 0)).trim()
  const digits = value.slice(split + 1).trim()
  const period = /^[\d._]+(e\d+)?$/i.test(digits) ? Number(digits.replaceAll('_', '')) : NaN
  if (key !== '' && period > 0 && Number.isFinite(period)) return [key, period]
  throw new CkptError('usage', `--keep-every takes a key and a number above 0, not ${JSON.stringify(value)}`, {
    hint: '--keep-every epoch=10',
  })
}

function multiplesOf(key: string, period: number): Rule {
  return {
    label: `--keep-every ${key}=${period}`,
    names: [key],
    rescue: (pool, { scopeOf }) => {
      const valued = pool.flatMap((checkpoint): Valued[] => {
        const value = toNumeric(scopeOf(checkpoint).get(key))
        return value === undefined ? [] : [{ checkpoint, value }]
      })
      const exact = valued.filter(({ value }) => isMultiple(value, period))
      return new Map([
        ...exact.map(({ checkpoint }) => [checkpoint, `${key} is a multiple of ${period}`] as const),
        ...nearestOnes(valued, exact, key, period),
      ])
    },
  }
}

interface Valued {
  readonly checkpoint: Checkpoint
  readonly value: number | bigint
}

function isMultiple(value: number | bigint, period: number): boolean {
  if (typeof value === 'bigint') return Number.isSafeInteger(period) && value % BigInt(period) === 0n
  return value % period === 0
}

/**
 * For each multiple that no checkpoint hits, the nearest one: frameworks save where their steps end, and write an epoch
 * that has just ended as 0.9976. One that lies before a multiple not yet reached is kept only while the next save,
 * one interval later, would lie farther from it.
 */
function nearestOnes(valued: readonly Valued[], exact: readonly Valued[], key: string, period: number) {
  const hit = new Set(exact.map(({ value }) => indexOf(Number(value), period)))
  const values = [...new Set(valued.map(({ value }) => Number(value)))].filter(Number.isFinite).sort((a, b) => a - b)
  const nearest = new Map<number, number>()
  for (const value of values) {
    const index = indexOf(value, period)
    if (index < 1 || hit.has(index)) continue
    const best = nearest.get(index)
    // Of two equally near the later.
    if (best === undefined || distance(value, index, period) <= distance(best, index, period)) nearest.set(index, value)
  }
  const reasons = new Map(
    [...nearest].flatMap(([index, value]) =>
      isOutdone(value, index, period, values)
        ? []
        : [[value, `${key} ${short(value)} is the nearest to ${short(index * period)}`] as const],
    ),
  )
  return valued.flatMap(({ checkpoint, value }) => {
    const reason = reasons.get(Number(value))
    return reason === undefined ? [] : [[checkpoint, reason] as const]
  })
}

/** Which multiple a value lies nearest to. */
function indexOf(value: number, period: number): number {
  return Math.round(value / period)
}

function distance(value: number, index: number, period: number): number {
  return Math.abs(value - index * period)
}

/** True when the multiple was not reached yet and the next save is expected to lie nearer to it. */
function isOutdone(value: number, index: number, period: number, rising: readonly number[]): boolean {
  const [before, last] = rising.slice(-2)
  if (last === undefined || before === undefined || value !== last || value >= index * period) return false
  return distance(last + (last - before), index, period) < distance(last, index, period)
}

/** Without the digits that only floating point has. */
function short(value: number): string {
  return String(Number(value.toPrecision(6)))
}
