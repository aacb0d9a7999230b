/** Expressions of `--where` and `--by` (docs/design.md §4): text in, a value for each checkpoint out. No code is run. */
import { evaluate, type Patterns } from './evaluate.js'
import { mistakeAt } from './mistake.js'
import { parse } from './parse.js'
import type { Pattern, PatternText } from './syntax-tree.js'
import { truthOf, type Scope, type Value } from './value.js'

/** A filter or an order that was read, and can be asked of a checkpoint. */
export interface Expression {
  /** As it was written. */
  readonly text: string
  /** The names it reads, with those of `meta["…"]` and `has("…")`; dotted ones whole. */
  readonly names: ReadonlySet<string>
  /** The value in that scope; undefined is unknown. Never throws. */
  evaluate(scope: Scope): Value | undefined
}

/**
 * Throws CkptError `bad-expression`, its message with the place marked under the text. Asynchronous because the
 * engine for `~` is loaded only when it is used: importing it takes 10 ms.
 */
export async function parseExpression(text: string): Promise<Expression> {
  const { tree, names, patterns } = parse(text)
  const compiled = await compilePatterns(text, patterns)
  return { text, names, evaluate: (scope) => evaluate(tree, scope, compiled) }
}

/** True only when the expression is known to be true: what lacks a key that it reads is never selected by it. */
export function selects(expression: Expression, scope: Scope): boolean {
  return truthOf(expression.evaluate(scope)) === true
}

async function compilePatterns(text: string, patterns: readonly PatternText[]): Promise<Patterns> {
  if (patterns.length === 0) return new Map()
  const { RE2JS } = await import('re2js')
  const compileOne = (pattern: PatternText): Pattern => {
    try {
      const compiled = RE2JS.compile(pattern.source)
      return (value) => compiled.matcher(value).find()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw mistakeAt(
        text,
        pattern.at,
        `not a regular expression: ${reason}`,
        'the syntax is RE2, as in Go: no lookaround, no back-references',
      )
    }
  }
  return new Map(patterns.map((pattern) => [pattern, compileOne(pattern)]))
}
