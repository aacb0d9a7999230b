/** The rule --keep-first: the oldest checkpoint stays. */
import type { RuleKind } from './rule.js'

export const keepFirst: RuleKind = {
  flag: 'keep-first',
  value: null,
  description: 'keep the oldest',
  repeatable: false,
  parse: async () => ({
    label: '--keep-first',
    names: [],
    rescue: (pool) => new Map(pool.slice(-1).map((oldest) => [oldest, 'the oldest'])),
  }),
}
