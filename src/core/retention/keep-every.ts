import type { Checkpoint } from '../checkpoint.js'
import { CkptError } from '../errors.js'
import { toNumeric } from '../expression/index.js'
import type { Rule, RuleContext, RuleKind } from './rule.js'

export const keepEvery: RuleKind = {
  flag: 'keep-every',
  value: 'KEY=N',
  description: 'keep those whose KEY is a multiple of N: epoch=10',
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
  const reason = `${key} is a multiple of ${period}`
  const isMultiple = (checkpoint: Checkpoint, { scopeOf }: RuleContext) => {
    const value = toNumeric(scopeOf(checkpoint).get(key))
    if (typeof value === 'bigint') return Number.isSafeInteger(period) && value % BigInt(period) === 0n
    return value !== undefined && value % period === 0
  }
  return {
    label: `--keep-every ${key}=${period}`,
    names: [key],
    rescue: (pool, context) =>
      new Map(pool.filter((checkpoint) => isMultiple(checkpoint, context)).map((one) => [one, reason])),
  }
}
