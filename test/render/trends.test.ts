import { describe, expect, it } from 'vitest'
import { trendLines, type Trend } from '../../src/render/trends.js'
import { painter } from '../../src/render/colours.js'

const trend = (metric: string, values: readonly number[], name = 'ckpt'): Trend => ({
  metric,
  values,
  best: { name, value: Math.min(...values.filter((value) => !Number.isNaN(value))) },
  worst: { name, value: Math.max(...values.filter((value) => !Number.isNaN(value))) },
})
const plain = { unicode: true, paint: painter(false) }
const many = Array.from({ length: 3000 }, (_, index) => (index === 1777 ? 500 : 10 + (index % 3)))

describe('the trends below a list', () => {
  it('have a curve, the best and the worst, and who has them', () => {
    expect(trendLines([trend('WER', [3, NaN, 1, 2])], { width: 80, ...plain })).toEqual([
      '',
      'WER  █ ▁▅  best 1 (ckpt)  worst 3 (ckpt)',
    ])
  })

  it('stay away where there is no room, or too little to draw', () => {
    expect(trendLines([trend('WER', [3, 2, 1])], { width: 40, ...plain })).toEqual([])
    expect(trendLines([trend('WER', [3, 2])], { width: 80, ...plain })).toEqual([])
    expect(trendLines([], { width: 80, ...plain })).toEqual([])
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
