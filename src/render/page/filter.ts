/** What is typed into the filter: words that stand in a row, and comparisons of its values, all of which must hold. */
import type { Row } from './row.js'
import { numberOf } from './values.js'

type Test = (row: Row) => boolean

/** A key, an operator and a number, with or without spaces: `WER < 15`. */
const comparison = /([^\s<>=]+)\s*(<=|>=|<|>|=)\s*(-?\d+(?:\.\d*)?(?:e[+-]?\d+)?)(?=\s|,|$)/giu

export function matcherOf(text: string): Test {
  const tests: Test[] = []
  const words = text.replace(comparison, (_, key: string, operator: string, number: string) => {
    tests.push(compares(key, operator, Number(number)))
    return ' '
  })
  for (const word of words.toLowerCase().split(/[\s,]+/)) {
    if (word !== '') tests.push(({ text: of }) => of.includes(word))
  }
  return (row) => tests.every((test) => test(row))
}

function compares(key: string, operator: string, number: number): Test {
  return (row) => {
    const value = valueOf(row, key)
    if (value === undefined) return false
    switch (operator) {
      case '<':
        return value < number
      case '<=':
        return value <= number
      case '>':
        return value > number
      case '>=':
        return value >= number
      default:
        return value === number
    }
  }
}

function valueOf({ checkpoint }: Row, key: string): number | undefined {
  const { meta, step, epoch, size, time } = checkpoint
  if (Object.hasOwn(meta, key)) return numberOf(meta[key])
  const own = new Map<string, number | null>([
    ['step', step],
    ['epoch', epoch],
    ['size', size],
    ['time', time],
  ])
  return own.get(key) ?? undefined
}
