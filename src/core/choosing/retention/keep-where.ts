/** The rule --keep-where: what an expression is true of stays. */
import { parseExpression, selects } from '../expression/index.js'
import type { RuleKind } from './rule.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export const keepWhere: RuleKind = {
  flag: 'keep-where',
  value: 'EXPR',
  description: `keep those for which this is true: 'note == "paper"'`,
  repeatable: true,
  parse: async (value) => {
    const expression = await parseExpression(value)
    const reason = `${value} is true`
    return {
      label: `--keep-where ${quoteWord(value)}`,
      names: [...expression.names],
      rescue: (pool, { scopeOf }) =>
        new Map(pool.filter((checkpoint) => selects(expression, scopeOf(checkpoint))).map((one) => [one, reason])),
    }
  },
}
