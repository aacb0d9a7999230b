/** The course of a number over time, in one line of text. */

const blocks = Array.from('▁▂▃▄▅▆▇█')
const plain = Array.from('_.-~=+*#')

/** The values in order, drawn in at most `width` columns; what is not a finite number is a gap. */
export function sparkline(values: readonly number[], width: number, unicode: boolean): string {
  const drawn = resampled(values, width)
  const finite = drawn.filter(Number.isFinite)
  const [low, high] = [Math.min(...finite), Math.max(...finite)]
  const signs = unicode ? blocks : plain
  const sign = (value: number) => {
    if (!Number.isFinite(value)) return ' '
    // Halves, for the distance between two numbers may be none.
    const share = high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5
    return signs[Math.min(signs.length - 1, Math.floor(share * signs.length))] ?? ''
  }
  return drawn.map(sign).join('')
}

/** Neighbours are one column, their mean, where there are more of them than columns; the highest and the lowest stay. */
function resampled(values: readonly number[], width: number): number[] {
  if (values.length <= width) return [...values]
  const extremes = extremesOf(values)
  return Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * values.length) / width)
    const to = Math.floor(((column + 1) * values.length) / width)
    const extreme = extremes.find((index) => index >= from && index < to)
    if (extreme !== undefined) return values[extreme] ?? NaN
    return meanOf(values.slice(from, to))
  })
}

/** Where the lowest and the highest stand; the one that stands out more first. */
function extremesOf(values: readonly number[]): number[] {
  let [low, high] = [-1, -1]
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value)) continue
    if (low === -1 || value < (values[low] ?? value)) low = index
    if (high === -1 || value > (values[high] ?? value)) high = index
  }
  const mean = meanOf(values)
  const distance = (index: number) => Math.abs((values[index] ?? mean) - mean)
  return [low, high].sort((a, b) => distance(b) - distance(a))
}

/** Of the finite ones; NaN of none. */
function meanOf(values: readonly number[]): number {
  const finite = values.filter(Number.isFinite)
  return finite.reduce((sum, value) => sum + value / finite.length, finite.length === 0 ? NaN : 0)
}
