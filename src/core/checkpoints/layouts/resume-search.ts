/** Ways in which frameworks look for what they resume from by themselves, that several of them have. */
import type { OwnStart, PointerFix, Standing } from './layout.js'

/** The largest number in a name, `pattern`'s first group, whatever is in what has the name. */
export function takesLargest(
  by: string,
  kind: Standing['kind'],
  pattern: RegExp,
): (there: readonly Standing[]) => readonly OwnStart[] {
  return (there) => {
    const [last] = there
      .filter((one) => one.kind === kind)
      .flatMap(({ name }) => {
        const number = pattern.exec(name)?.[1]
        return number === undefined ? [] : [{ name, number: Number(number) }]
      })
      .sort((a, b) => b.number - a.number)
    return [{ by, takes: last?.name ?? null, stumblesOver: [] }]
  }
}

/** One name alone. */
export function takesNamed(by: string, file: string): (there: readonly Standing[]) => readonly OwnStart[] {
  return (there) => [{ by, takes: there.some(({ name }) => name === file) ? file : null, stumblesOver: [] }]
}

/** That name is made to stand for the chosen one, where there is such a name. */
export function namedPointsTo(file: string): (chosen: Standing, there: readonly Standing[]) => readonly PointerFix[] {
  return (chosen, there) => {
    const isThere = there.some(({ name }) => name === file)
    return isThere && chosen.name !== file && !chosen.name.includes('/') ? [{ name: file, to: chosen.name }] : []
  }
}
