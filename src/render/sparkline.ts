/** How a number went, in one line of text. */

const blocks = Array.from('▁▂▃▄▅▆▇█')
const plain = Array.from('_.-~=+*#')

/** The values in order, drawn in at most `width` columns; what is no finite number is a gap. */
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

/** Neighbours are one column, their mean, where there are more of them than columns. */
function resampled(values: readonly number[], width: number): number[] {
  if (values.length <= width) return [...values]
  return Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * values.length) / width)
    const to = Math.floor(((column + 1) * values.length) / width)
    const some = values.slice(from, to).filter(Number.isFinite)
    return some.reduce((sum, value) => sum + value / some.length, some.length === 0 ? NaN : 0)
  })
}
