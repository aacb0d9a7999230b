/**
 * Tokens -> tree: a Pratt parser. Precedence as in Python, loosest first: `or`, `and`, `not`, comparisons (chained:
 * `1 < x < 3`), `+ -`, `* / %`, unary `- +`, `**` (from the right), brackets.
 */
import type { ArithmeticOperator } from './arithmetic.js'
import { functions, hasName, type FunctionKind } from './functions.js'
import { mistakeAt, quote } from './mistake.js'
import { didYouMean } from '../../nearest.js'
import { tokenize, type Symbol, type Token } from './token.js'
import type { Comparison, Link, PatternText, Tree } from './syntax-tree.js'

/** Brackets and prefixes within one another. */
const deepest = 200
/** Arithmetic operators and brackets in one text, since `a + b + …` is as deep a tree as it is long. */
const mostOperators = 1000

const power = { or: 1, and: 2, not: 3, comparison: 4, sum: 5, product: 6, sign: 7, exponent: 8, bracket: 9 } as const

const comparisons: ReadonlySet<Symbol> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in', '~'] as const)

const powerOf: ReadonlyMap<Symbol, number> = new Map<Symbol, number>([
  ['or', power.or],
  ['and', power.and],
  // Only as `not in`.
  ['not', power.comparison],
  ...[...comparisons].map((symbol): [Symbol, number] => [symbol, power.comparison]),
  ['+', power.sum],
  ['-', power.sum],
  ['*', power.product],
  ['/', power.product],
  ['%', power.product],
  ['**', power.exponent],
  ['[', power.bracket],
])

export interface Parsed {
  readonly tree: Tree
  /** Names read, `meta["…"]` and `has("…")` included. */
  readonly names: ReadonlySet<string>
  /** Regular expressions, to be compiled before the tree is evaluated. */
  readonly patterns: readonly PatternText[]
}

/** Throws CkptError `bad-expression` with the place marked under the text. */
export function parse(text: string): Parsed {
  const parser = new Parser(text)
  return { tree: parser.parseAll(), names: parser.names, patterns: parser.patterns }
}

class Parser {
  readonly names = new Set<string>()
  readonly patterns: PatternText[] = []
  private readonly tokens: readonly Token[]
  private position = 0
  private depth = 0
  private operators = 0

  constructor(private readonly text: string) {
    this.tokens = tokenize(text)
  }

  parseAll(): Tree {
    if (this.isAtEnd()) throw this.mistake('the expression is empty')
    const tree = this.parseExpression(0)
    if (!this.isAtEnd()) throw this.strayToken()
    return tree
  }

  private get token(): Token {
    return this.tokens[this.position] ?? { kind: 'end', at: this.text.length, text: '' }
  }

  private isAtEnd(): boolean {
    return this.token.kind === 'end'
  }

  private take(): Token {
    const token = this.token
    this.position += 1
    return token
  }

  private isNext(symbol: Symbol): boolean {
    return this.token.kind === 'symbol' && this.token.symbol === symbol
  }

  private takeIf(symbol: Symbol): boolean {
    const found = this.isNext(symbol)
    if (found) this.position += 1
    return found
  }

  private mistake(what: string, hint?: string, at = this.token.at) {
    return mistakeAt(this.text, at, what, hint)
  }

  /** An operand and all operators after it that bind at least as tightly as `least`. */
  private parseExpression(least: number): Tree {
    this.depth += 1
    if (this.depth > deepest) throw this.mistake(`nested more than ${deepest} levels deep`)
    let left = this.parseOperand()
    for (;;) {
      const { token } = this
      const strength = token.kind === 'symbol' ? powerOf.get(token.symbol) : undefined
      if (token.kind !== 'symbol' || strength === undefined || strength < least) break
      if (token.symbol === 'not' && !this.isNotIn()) break
      left = this.parseOperator(left, token.symbol)
    }
    this.depth -= 1
    return left
  }

  private isNotIn(): boolean {
    const after = this.tokens[this.position + 1]
    return after?.kind === 'symbol' && after.symbol === 'in'
  }

  private parseOperator(left: Tree, symbol: Symbol): Tree {
    if (symbol === 'and') return { kind: 'all', items: this.parseSeries(left, symbol, power.not) }
    if (symbol === 'or') return { kind: 'any', items: this.parseSeries(left, symbol, power.and) }
    if (symbol === 'not' || comparisons.has(symbol)) return this.parseComparison(left)
    this.operators += 1
    if (this.operators > mostOperators) throw this.mistake(`more than ${mostOperators} operators in one expression`)
    this.take()
    if (symbol === '[') return this.parseIndex(left)
    const operator = symbol as ArithmeticOperator
    // From the right, and looser than a sign on its right side: 2 ** -1.
    const least = operator === '**' ? power.sign : (powerOf.get(symbol) ?? 0) + 1
    return { kind: 'arithmetic', operator, left, right: this.parseExpression(least) }
  }

  private parseSeries(first: Tree, symbol: 'and' | 'or', least: number): Tree[] {
    const items = [first]
    while (this.takeIf(symbol)) items.push(this.parseExpression(least))
    return items
  }

  private parseComparison(first: Tree): Tree {
    const links: Link[] = []
    while (this.token.kind === 'symbol' && (comparisons.has(this.token.symbol) || this.isNotIn()))
      links.push(this.parseLink())
    return { kind: 'comparison', first, links }
  }

  private parseLink(): Link {
    const negated = this.takeIf('not')
    const token = this.take()
    if (token.kind === 'symbol' && token.symbol === '~') return this.parsePattern()
    const operator = negated ? 'not in' : ((token.kind === 'symbol' ? token.symbol : '==') as Comparison)
    return { operator, right: this.parseExpression(power.sum) }
  }

  private parsePattern(): Link {
    const token = this.take()
    if (token.kind !== 'string')
      throw this.mistake('after ~ comes a regular expression in quotes', String.raw`name ~ "^CKPT\+2024"`, token.at)
    const pattern = { source: token.value, at: token.at }
    this.patterns.push(pattern)
    return { operator: '~', pattern, right: { kind: 'constant', value: token.value } }
  }

  private parseIndex(of: Tree): Tree {
    const index = this.parseExpression(0)
    this.expectClosing(']')
    const isMetaKey = of.kind === 'name' && of.name === 'meta'
    if (!isMetaKey || index.kind !== 'constant' || typeof index.value !== 'string') return { kind: 'index', of, index }
    this.names.add(index.value)
    return { kind: 'key', name: index.value }
  }

  private expectClosing(symbol: ')' | ']'): void {
    if (this.takeIf(symbol)) return
    const opening = symbol === ')' ? '(' : '['
    if (this.isAtEnd()) throw this.mistake(`"${symbol}" is missing`, `each ${opening} needs its ${symbol}`)
    throw this.strayToken()
  }

  private parseOperand(): Tree {
    const token = this.take()
    if (token.kind === 'number' || token.kind === 'string') return { kind: 'constant', value: token.value }
    if (token.kind === 'name') return this.parseName(token)
    if (token.kind === 'end') throw this.missingValue(token)
    switch (token.symbol) {
      case 'true':
      case 'false':
        return { kind: 'constant', value: token.symbol === 'true' }
      case 'null':
        return { kind: 'constant', value: null }
      case '(':
        return this.parseParenthesis()
      case '[':
        return { kind: 'list', items: this.parseItems(']') }
      case '-':
        return { kind: 'negative', of: this.parseExpression(power.sign) }
      case '+':
        return { kind: 'arithmetic', operator: '+', left: zero, right: this.parseExpression(power.sign) }
      case 'not':
        return { kind: 'not', of: this.parseExpression(power.not) }
      default:
        throw this.missingValue(token)
    }
  }

  private parseParenthesis(): Tree {
    const inner = this.parseExpression(0)
    this.expectClosing(')')
    return inner
  }

  private parseItems(closing: ')' | ']'): Tree[] {
    const items: Tree[] = []
    while (!this.isNext(closing)) {
      items.push(this.parseExpression(0))
      if (!this.takeIf(',')) break
    }
    this.expectClosing(closing)
    return items
  }

  private parseName(token: Token & { kind: 'name' }): Tree {
    if (this.takeIf('(')) return this.parseCall(token)
    if (!(token.text === 'meta' && this.isNext('['))) this.names.add(token.text)
    return { kind: 'name', name: token.text }
  }

  private parseCall(name: Token & { kind: 'name' }): Tree {
    if (name.text === hasName) return this.parseHas(name)
    const kind = functions.get(name.text)
    if (kind === undefined) throw this.unknownFunction(name)
    const items = this.parseItems(')')
    if (items.length < kind.least || items.length > kind.most)
      throw this.mistake(`${name.text}() takes ${describeCount(kind)}, not ${items.length}`, undefined, name.at)
    return { kind: 'call', call: kind.call, items }
  }

  private parseHas(name: Token): Tree {
    const items = this.parseItems(')')
    const [item] = items
    if (items.length === 1 && item?.kind === 'constant' && typeof item.value === 'string') {
      this.names.add(item.value)
      return { kind: 'has', of: { kind: 'name', name: item.value } }
    }
    if (items.length === 1 && (item?.kind === 'name' || item?.kind === 'key')) return { kind: 'has', of: item }
    throw this.mistake('has() takes one key', 'has("WER")', name.at)
  }

  private unknownFunction(name: Token) {
    const known = `known are ${[hasName, ...functions.keys()].join(', ')}`
    const hint = didYouMean(name.text, [...functions.keys(), hasName], (one) => `${one}()`) ?? known
    return this.mistake(`no function is called ${quote(name.text)}`, hint, name.at)
  }

  private missingValue(token: Token) {
    const before = this.tokens[this.tokens.indexOf(token) - 1]
    const after = before === undefined ? 'at the start' : `after ${quote(before.text)}`
    const what = token.kind === 'end' ? 'but the expression ends' : `not ${quote(token.text)}`
    return this.mistake(
      `a value is needed ${after}, ${what}`,
      before?.text === '<' && token.text === '>' ? 'inequality is !=' : undefined,
      token.at,
    )
  }

  /** Two values with no operator in between, or a bracket too many. */
  private strayToken() {
    const { token } = this
    const before = this.tokens[this.position - 1]
    if (token.text === ')' || token.text === ']') return this.mistake(`"${token.text}" closes nothing here`)
    const what = `an operator is needed between ${quote(before?.text ?? '')} and ${quote(token.text)}`
    return this.mistake(what, operatorHint(before, token))
  }
}

const zero: Tree = { kind: 'constant', value: 0 }

function describeCount({ least, most }: FunctionKind): string {
  if (most === Infinity) return `at least ${least} value`
  if (least !== most) return `${least} or ${most} values`
  return least === 1 ? '1 value' : `${least} values`
}

const wordsForOperators: ReadonlyMap<string, string> = new Map([
  ['is', 'equality is =='],
  ['like', 'a regular expression is matched with ~'],
  ['matches', 'a regular expression is matched with ~'],
  ['mod', 'a remainder is written %'],
])

function operatorHint(before: Token | undefined, token: Token): string | undefined {
  const word = token.text.toLowerCase()
  if (['and', 'or', 'not', 'in'].includes(word)) return `write it in small letters: ${word}`
  if (before?.kind === 'name' && /[-/]$/.test(before.text))
    return `- and / need a space on both sides: ${before.text.slice(0, -1)} ${before.text.slice(-1)} ${token.text}`
  if (token.kind === 'name' && before?.kind === 'name')
    return wordsForOperators.get(word) ?? 'a key with a space in it is written meta["…"], a text in quotes'
  return wordsForOperators.get(word)
}
