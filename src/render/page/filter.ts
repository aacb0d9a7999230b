/** What is typed into a filter: words that stand in a row, and comparisons of its values, all of which must hold. */

/** A row that can be looked for. */
export interface Filterable {
  /** In lower case, what words are looked for in. */
  readonly text: string
  /** The number that a comparison of that name asks for; undefined where the row has none. */
  readonly numberAt: (key: string) => number | undefined
}

type Test = (row: Filterable) => boolean

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
    const value = row.numberAt(key)
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
