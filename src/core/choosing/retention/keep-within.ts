/** The rule --keep-within: what is younger than that stays. */
import { timeOf } from '../../checkpoint.js'
import { parseAge } from './age.js'
import type { RuleKind } from './rule.js'

export const keepWithin: RuleKind = {
  flag: 'keep-within',
  value: 'DURATION',
  description: 'keep those that are no older than this: 2d',
  repeatable: false,
  parse: async (value) => {
    const seconds = parseAge('keep-within', value)
    return {
      label: `--keep-within ${value}`,
      names: ['time'],
      rescue: (pool, { now }) => {
        const rescued = new Map<(typeof pool)[number], string>()
        for (const checkpoint of pool) {
          const time = timeOf(checkpoint)
          if (time === null) rescued.set(checkpoint, 'its age is not known')
          // Not >=, so that NaN stays too.
          else if (!(now - time > seconds)) rescued.set(checkpoint, `no older than ${value}`)
        }
        return rescued
      },
    }
  },
}
