import { describe, expect, it } from 'vitest'
import { trendLines, type Trend } from '../../src/render/trends.js'
import { displayWidth } from '../../src/render/text-width.js'
import { painter } from '../../src/render/colours.js'

const trend = (metric: string, values: readonly number[], name = 'ckpt'): Trend => ({
  metric,
  values,
  direction: 'min',
  best: { name, value: Math.min(...values.filter((value) => !Number.isNaN(value))) },
  worst: { name, value: Math.max(...values.filter((value) => !Number.isNaN(value))) },
})
const plain = { unicode: true, paint: painter(false), most: 6 }
const many = Array.from({ length: 3000 }, (_, index) => (index === 1777 ? 500 : 10 + (index % 3)))

describe('the trends below a list', () => {
  it('have a curve, the best and the worst, and who has them', () => {
    expect(trendLines([trend('WER', [3, NaN, 1, 2])], { width: 80, ...plain })).toEqual([
      '',
      'WER  █ ▁▅  best 1 (ckpt)  worst 3 (ckpt)',
    ])
  })

  it('are folded where there is no room for a line, and stay away where there is too little to draw', () => {
    const metrics = [trend('WER', [3, 2, 1]), trend('a_metric_with_a_name_longer_than_a_line', [3, 2, 1])]
    const lines = trendLines(metrics, { width: 20, ...plain })
    expect(lines.slice(1, 3)).toEqual(['WER  █▅▁  best 1', '  worst 3'])
    expect(lines.filter((line) => displayWidth(line) > 20)).toEqual([])
    expect(trendLines([trend('WER', [3])], { width: 80, ...plain })).toEqual([])
    expect(trendLines([], { width: 80, ...plain })).toEqual([])
  })

  it('tell the lowest and the highest where it is not known which way is better', () => {
    const [, line] = trendLines([{ ...trend('foo', [3, 2, 1]), direction: null }], { width: 80, ...plain })
    expect(line).toBe('foo  █▅▁  lowest 1 (ckpt)  highest 3 (ckpt)')
  })

  it.each([20, 50, 80, 200])('tell the worst of those without a line of their own too, in %i columns', (width) => {
    const metrics = Array.from({ length: 40 }, (_, index) => trend(`metric_${index}`, [index + 0.5, index + 0.25]))
    const lines = trendLines(metrics, { ...plain, width })
    expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
    const text = lines.join(' ').replace(/ +/g, ' ')
    expect(text).toContain('worst of 34 more:')
    for (const index of metrics.keys()) {
      expect(text).toMatch(new RegExp(`metric_${index} .*${index < 6 ? 'worst ' : ''}${index}\\.5`))
    }
    const all = trendLines(metrics, { ...plain, width, most: Infinity })
    expect(all.filter((line) => line.includes('worst'))).toHaveLength(40)
  })

  it('never hide the worst of thousands, and fit the terminal', () => {
    for (const width of [60, 80, 200]) {
      const [, line = ''] = trendLines([trend('loss', many, 'a-long-name-of-a-checkpoint')], { width, ...plain })
      expect(line).toContain('█')
      expect(line).toContain('worst 500')
      expect(line.length).toBeLessThanOrEqual(width)
    }
  })
})
