/** Tree and scope -> value. Nothing here throws; what cannot be said is undefined. */
import type { Meta } from '../../checkpoint.js'
import { negate, compute } from './arithmetic.js'
import type { Comparison, Link, Pattern, PatternText, Tree } from './syntax-tree.js'
import { compare, equals, isIn, not, truthOf, type Scope, type Truth, type Value } from './value.js'

export type Patterns = ReadonlyMap<PatternText, Pattern>

export function evaluate(tree: Tree, scope: Scope, patterns: Patterns): Value | undefined {
  const valueOf = (of: Tree) => evaluate(of, scope, patterns)
  switch (tree.kind) {
    case 'constant':
      return tree.value
    case 'name':
      return scope.get(tree.name)
    case 'key':
      return scope.key(tree.name)
    case 'list':
      return toList(tree.items.map(valueOf))
    case 'index':
      return elementOf(valueOf(tree.of), valueOf(tree.index))
    case 'negative':
      return negate(valueOf(tree.of))
    case 'not':
      return not(truthOf(valueOf(tree.of)))
    case 'all':
      return combine(tree.items, false, (item) => truthOf(valueOf(item)))
    case 'any':
      return combine(tree.items, true, (item) => truthOf(valueOf(item)))
    case 'arithmetic':
      return compute(tree.operator, valueOf(tree.left), valueOf(tree.right))
    case 'comparison':
      return compareAll(tree.first, tree.links, valueOf, patterns)
    case 'has':
      return valueOf(tree.of) !== undefined
    case 'call':
      return tree.call(tree.items.map(valueOf))
  }
}

/** Kleene's `and` (decided by one false) and `or` (decided by one true). */
function combine<T>(items: readonly T[], decisive: boolean, test: (item: T) => Truth): Truth {
  let answer: Truth = !decisive
  for (const item of items) {
    const truth = test(item)
    if (truth === decisive) return decisive
    if (truth === undefined) answer = undefined
  }
  return answer
}

/** A list of which a part is missing is not known. */
function toList(values: readonly (Value | undefined)[]): Value | undefined {
  return values.includes(undefined) ? undefined : (values as readonly Value[])
}

function compareAll(
  first: Tree,
  links: readonly Link[],
  valueOf: (tree: Tree) => Value | undefined,
  patterns: Patterns,
): Truth {
  let left = valueOf(first)
  return combine(links, false, (link) => {
    const right = valueOf(link.right)
    const truth =
      link.operator === '~' ? matches(left, patterns.get(link.pattern)) : compareTwo(link.operator, left, right)
    left = right
    return truth
  })
}

function matches(value: Value | undefined, pattern: Pattern | undefined): Truth {
  return typeof value === 'string' ? pattern?.(value) : undefined
}

function compareTwo(operator: Comparison, left: Value | undefined, right: Value | undefined): Truth {
  switch (operator) {
    case '==':
      return equals(left, right)
    case '!=':
      return not(equals(left, right))
    case 'in':
      return isIn(left, right)
    case 'not in':
      return not(isIn(left, right))
    default:
      return isOrdered(operator, compare(left, right))
  }
}

function isOrdered(operator: '<' | '<=' | '>' | '>=', order: number | undefined): Truth {
  if (order === undefined) return undefined
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

function elementOf(container: Value | undefined, index: Value | undefined): Value | undefined {
  if (container instanceof Map) return typeof index === 'string' ? (container as Meta).get(index) : undefined
  if (!Array.isArray(container) || !Number.isInteger(index)) return undefined
  return (container as readonly Value[]).at(index as number)
}
