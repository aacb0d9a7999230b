/** What an expression means, after parsing. */
import type { ArithmeticOperator } from './arithmetic.js'
import type { Call } from './functions.js'
import type { Value } from './value.js'

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'

/** True when the pattern is found in the text, in time linear in its length. */
export type Pattern = (text: string) => boolean

export type Tree =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  /** `meta["any key"]` */
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Tree[] }
  | { readonly kind: 'index'; readonly of: Tree; readonly index: Tree }
  | { readonly kind: 'negative'; readonly of: Tree }
  | { readonly kind: 'not'; readonly of: Tree }
  | { readonly kind: 'all' | 'any'; readonly items: readonly Tree[] }
  | {
      readonly kind: 'arithmetic'
      readonly operator: ArithmeticOperator
      readonly left: Tree
      readonly right: Tree
    }
  /** `1 < x < 3` has two links. */
  | { readonly kind: 'comparison'; readonly first: Tree; readonly links: readonly Link[] }
  | { readonly kind: 'has'; readonly of: Tree & { readonly kind: 'name' | 'key' } }
  | { readonly kind: 'call'; readonly call: Call; readonly items: readonly Tree[] }

export type Link =
  | { readonly operator: Comparison; readonly right: Tree }
  | { readonly operator: '~'; readonly pattern: PatternText; readonly right: Tree }

/** A regular expression as written, and its place for the message when it is malformed. */
export interface PatternText {
  readonly source: string
  readonly at: number
}
