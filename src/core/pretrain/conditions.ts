/** Whether a loadable takes part: true, false, or an expression over variables. */
import { ConfigError, type Scalar } from '../formats/yaml/config-yaml.js'
import { didYouMean, selects, type Scope, type Value } from '../choosing/expression/index.js'
import { readExpression } from './sources/index.js'

export type Variables = ReadonlyMap<string, Value>

/** As someone types it: `true`, `False`, `null`, `3`, `0.5`; anything else is a text. */
export function parseVariable(text: string): Value {
  const word = text.trim()
  if (/^(true|false)$/i.test(word)) return word.toLowerCase() === 'true'
  if (/^(null|none|~|)$/i.test(word)) return null
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? Number(word) : text
}

/** Throws ConfigError for an expression that does not parse, and for a variable that nobody has set. */
export async function isMet(condition: Scalar, variables: Variables): Promise<boolean> {
  if (condition.boolean !== null) return condition.boolean
  const expression = await readExpression(condition)
  for (const name of expression.names) {
    if (variables.has(name)) continue
    throw new ConfigError(
      condition.position,
      `the condition ${condition.text} asks for ${name}, which nobody has set`,
      {
        hint: didYouMean(name, variables.keys()) ?? `--set ${name}=true, or set: {${name}: true} in the plan`,
      },
    )
  }
  const scope: Scope = { get: (name) => variables.get(name), key: (name) => variables.get(name) }
  return selects(expression, scope)
}
