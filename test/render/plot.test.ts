import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Curve } from '../../src/core/runs/index.js'
import { frameOf, type FrameOptions } from '../../src/render/plot/frame.js'
import { mostCurvesOfPicture, renderPage, renderSvg } from '../../src/render/plot/svg.js'
import { mostCurves, renderPlot } from '../../src/render/plot/terminal.js'
import { shown } from '../../src/render/escape-output.js'
import { displayWidth } from '../../src/render/text-width.js'

const options: FrameOptions = { axis: 'epoch', log: false, smooth: 0, ticks: { x: 5, y: 5 } }
const plain = { width: 60, height: 14, colours: false, unicode: true }

function curveOf(values: readonly number[], key = 'WER'): Curve {
  const points = values.map((y, index) => ({ x: index + 1, y }))
  const checkpoints = points.filter(({ y }) => !Number.isNaN(y)).map((point) => ({ ...point, name: `CKPT+${point.x}` }))
  return { run: '/runs/a', key, logs: [], points, checkpoints, best: checkpoints[0] ?? null }
}

function numbersOf(svg: string): { x: number; y: number }[] {
  return [...svg.matchAll(/data-x="([^"]*)" data-y="([^"]*)"/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }))
}

describe('a picture', () => {
  it('has the very numbers of its curve', () => {
    const curve = curveOf([3.25, 1e-7, 12345.678])
    const svg = renderSvg(frameOf([curve], ['WER'], options), { width: 600, height: 300, title: 'WER' })
    expect(numbersOf(svg)).toEqual(curve.points)
  })

  it('has a legend that fits, with names in full for a pointer', () => {
    const names = [1, 2].map((seed) => `sweep/${'a_long_name_of_an_experiment_'.repeat(5)}seed${seed}_final/save`)
    const svg = renderSvg(frameOf([curveOf([3, 2]), curveOf([3, 1])], names, options), {
      width: 600,
      height: 300,
      title: 'WER',
    })
    const legend = [...svg.matchAll(/<text [^>]*><title>([^<]*)<\/title>([^<]*)<\/text>/g)]
    expect(legend.map(([, full]) => full)).toEqual(names)
    for (const [index, [, , text = '']] of legend.entries()) {
      expect(text).toContain(`seed${index + 1}_`)
      expect(text).toContain('(best: 3, CKPT+1)')
      expect(7 * text.length).toBeLessThan(600 - 70)
    }
  })

  it('has lines that all differ, and says of how many curves there are none', () => {
    const curves = Array.from({ length: mostCurvesOfPicture }, (_, index) => curveOf([1, index]))
    const frame = frameOf(
      curves,
      curves.map((_, index) => `run${index}`),
      options,
    )
    const more = '… and 26 more runs not drawn'
    const svg = renderSvg(frame, { width: 600, height: 300, title: 'WER', more })
    const looks = [...svg.matchAll(/<path [^>]*fill="none" (stroke=.*?) stroke-width/g)].map(([, look]) => look)
    expect(looks).toHaveLength(mostCurvesOfPicture)
    expect(new Set(looks).size).toBe(mostCurvesOfPicture)
    const [, y] = new RegExp(`y="(\\d+)">${more}`).exec(svg) ?? []
    expect(Number(y)).toBeLessThan(Number(/viewBox="0 0 600 (\d+)"/.exec(svg)?.[1]))
  })

  it('breaks its line at a gap', () => {
    const svg = renderSvg(frameOf([curveOf([1, 2, NaN, 3, 4])], ['WER'], options), {
      width: 600,
      height: 300,
      title: 'WER',
    })
    expect(/<path d="([^"]*)"/.exec(svg)?.[1]?.match(/M/g)).toHaveLength(2)
  })

  it('counts what a logarithmic scale has no place for', () => {
    const frame = frameOf([{ ...curveOf([1, 0, -2, 100]), checkpoints: [] }], ['WER'], { ...options, log: true })
    expect(frame.leftOut).toBe(2)
    // The same values of checkpoints are not further ones.
    expect(frameOf([curveOf([1, 0, -2, 100])], ['WER'], { ...options, log: true }).leftOut).toBe(2)
    expect(frame.series[0]?.line.map((place) => place?.value.y)).toEqual([1, undefined, undefined, 100])
  })

  it('takes no markup from names and keys', () => {
    const hostile = '"><script>alert(1)</script>\u001b[31m'
    const svg = renderSvg(frameOf([curveOf([1, 2], hostile)], [hostile], options), {
      width: 600,
      height: 300,
      title: hostile,
    })
    const page = renderPage(svg, hostile)
    expect(page).not.toContain('<script')
    expect(page).not.toContain('\u001b')
    expect(page).toContain("default-src 'none'")
  })

  it.each([[[]], [[5]], [[NaN]], [[7, 7, 7]], [[Infinity, 1]], [[1e308, -1e308]]])('can be drawn of %j', (values) => {
    const frame = frameOf([curveOf(values)], ['WER'], options)
    expect(renderSvg(frame, { width: 600, height: 300, title: 'WER' })).not.toContain('NaN')
    expect(renderPlot(frame, plain).join('\n')).toContain('WER')
  })
})

describe('a picture in a terminal', () => {
  it('keeps within its width and height', () => {
    for (const width of [30, 60, 200]) {
      const rows = renderPlot(frameOf([curveOf([1, 5, 3]), curveOf([2, 2, 1], 'CER')], ['a', 'b'], options), {
        ...plain,
        width,
      })
      expect(rows.length).toBeLessThanOrEqual(plain.height)
      for (const row of rows) expect(row.length).toBeLessThanOrEqual(width)
    }
  })

  it('tells of as many curves as there is room for, and shortens their names where they are alike', () => {
    const names = Array.from(
      { length: 30 },
      (_, index) => `sweep/a_very_long_name_of_an_experiment_lr0.001_seed${index}_final/save`,
    )
    const curves = names.map((_, index) => curveOf([3, 2, 1 + index]))
    for (const height of [14, 24, 60]) {
      const terminal = { ...plain, colours: true, height }
      const drawn = mostCurves(curves.length, terminal)
      const more = { count: curves.length - drawn, noun: 'run' }
      const rows = renderPlot(frameOf(curves.slice(0, drawn), names, options), terminal, more)
      expect(rows.length).toBeLessThanOrEqual(height)
      expect(rows.length).toBeGreaterThan(height - 3)
      for (const row of rows) expect(displayWidth(stripVTControlCharacters(row))).toBeLessThanOrEqual(plain.width)
      expect(rows.filter((row) => row.includes('seed')).join('')).toMatch(/seed0_.*seed1_/)
      expect(rows.at(-1)).toMatch(/and \d+ more runs not drawn/)
    }
  })

  it('has ticks at 0 too, as far apart from each other', () => {
    const ticksOf = (values: readonly number[]) => frameOf([curveOf(values)], ['WER'], options).y.ticks
    expect(ticksOf([-6, 6]).map(({ text }) => text)).toEqual(['-6', '-4', '-2', '0', '2', '4', '6'])
    expect(ticksOf([0, 4]).map(({ text }) => text)).toContain('0')
    const gaps = ticksOf([0, 9]).map(({ at }, index, all) => at - (all[index - 1]?.at ?? 0))
    for (const gap of gaps.slice(2)) expect(gap).toBeCloseTo(gaps[1] ?? 0)
  })

  it('has ticks whose texts differ, however close the values lie', () => {
    for (const close of [1e-3, 1e-7, 1e-12]) {
      const texts = frameOf([curveOf([1, 1 + close])], ['WER'], options).y.ticks.map(({ text }) => text)
      expect(new Set(texts).size).toBe(texts.length)
    }
  })

  it('says what it goes along', () => {
    for (const axis of ['step', 'epoch', 'time'] as const) {
      const frame = frameOf([curveOf([1, 2, 3, 4, 5, 6])], ['WER'], { ...options, axis })
      for (const width of [30, 60, 80, 200]) {
        const rows = renderPlot(frame, { ...plain, width })
        expect(rows.at(-2)).toMatch(axis === 'time' ? / time \(UTC\)$/ : new RegExp(` ${axis}$`))
        expect(rows.at(-2)?.length).toBeLessThanOrEqual(width)
      }
    }
  })

  it('has no ticks between epochs that are counted whole, and has them where they are not', () => {
    const textsOf = (xs: readonly number[]) => {
      const points = xs.map((x) => ({ x, y: x }))
      const frame = frameOf([{ ...curveOf([]), points }], ['WER'], options)
      return frame.x.ticks.map(({ text }) => text)
    }
    expect(textsOf([1, 2, 3])).toEqual(['1', '2', '3'])
    expect(textsOf([0.25, 0.5, 1])).toContain('0.4')
  })

  it.each([
    [
      ['2026-11-01T23:00:00Z', '2026-11-02T01:00:00Z'],
      ['23:00', '23:30', '11-02', '00:30', '01:00'],
    ],
    [
      ['2026-11-01T00:00:00Z', '2026-11-05T00:00:00Z'],
      ['11-01', '11-02', '11-03', '11-04', '11-05'],
    ],
    [
      ['2025-12-01T00:00:00Z', '2026-03-01T00:00:00Z'],
      ['2025-12', '2026-01', '2026-02', '2026-03'],
    ],
    [
      ['2026-11-01T00:10:01Z', '2026-11-01T00:10:05Z'],
      ['00:10:01', '00:10:02', '00:10:03', '00:10:04', '00:10:05'],
    ],
  ])('tells times as they are written elsewhere: %j', (times, texts) => {
    const points = times.map((time) => ({ x: Date.parse(time) / 1000, y: 1 }))
    const frame = frameOf([{ ...curveOf([]), points }], ['WER'], { ...options, axis: 'time' })
    expect(frame.x.ticks.map(({ text }) => text)).toEqual(texts)
  })

  it('marks the checkpoints and tells of their sign, or of neither where they would hide the curve', () => {
    for (const [count, isMarked] of [
      [30, true],
      [31, false],
    ] as const) {
      const curve = curveOf(Array.from({ length: count }, (_, index) => index))
      const rows = renderPlot(frameOf([{ ...curve, best: null }], ['WER'], options), { ...plain, width: 65 })
      expect(rows.slice(0, -1).join('').includes('•')).toBe(isMarked)
      expect(rows.at(-1)).toContain(isMarked ? `• ${count} checkpoints` : `  ${count} checkpoints`)
      expect(rows.at(-1)?.includes('•')).toBe(isMarked)
    }
  })

  it.each([
    ['nearer to 0 than a scale can tell', [1e-320, 2e-320, 1.5e-320]],
    ['of all sizes that there are', [1e308, -1e308, 1e-320, Infinity, 1]],
    ['equal and nearly 0', [5e-324, 5e-324]],
  ])('of values %s is drawn', (_, values) => {
    for (const log of [false, true]) {
      const svg = renderSvg(frameOf([curveOf(values)], ['loss'], { ...options, log }), {
        width: 600,
        height: 300,
        title: 'loss',
      })
      expect(svg).not.toContain('NaN')
    }
  })

  it('leaves out a step that is too large for its axis, and counts it', () => {
    const curve = curveOf([1, 2, 3])
    const far = { ...curve, points: curve.points.map((point, at) => (at === 0 ? { ...point, x: 1e308 } : point)) }
    const frame = frameOf([{ ...far, checkpoints: [] }], ['loss'], options)
    expect(frame.tooLarge).toBe(1)
    expect(frame.series[0]?.line.map((place) => place?.value.y)).toEqual([undefined, 2, 3])
  })

  it('counts what is too large to be drawn', () => {
    expect(frameOf([curveOf([1, Infinity, 1e305, NaN, -Infinity])], ['WER'], options).tooLarge).toBe(3)
  })

  it('has a logarithmic scale that begins and ends near the values', () => {
    const frame = frameOf([curveOf([29, 40, 101])], ['WER'], { ...options, log: true })
    expect(frame.y.ticks.map(({ text }) => text)).toEqual(['20', '50', '100', '200'])
  })

  it('has ASCII alone where the locale has no more', () => {
    const rows = renderPlot(frameOf([curveOf([1, 5, 3])], ['WER'], options), { ...plain, unicode: false })
    expect(rows.join('')).toMatch(/^[\u0020-\u007e]*$/)
  })

  it('draws several curves with letters where there are no colours', () => {
    const text = renderPlot(frameOf([curveOf([1, 5, 3]), curveOf([2, 2, 1], 'CER')], ['x', 'y'], options), plain).join(
      '\n',
    )
    expect(text).toMatch(/a+/)
    expect(text).toMatch(/^b y/m)
  })
})

describe('a small terminal', () => {
  const sizes = [10, 20, 30, 50, 80].flatMap((width) => [5, 6, 8, 12, 24].map((height) => [width, height] as const))

  it.each(sizes)('of %i × %i has all of a picture in it', (width, height) => {
    for (const count of [1, 2, 9]) {
      for (const colours of [false, true]) {
        const terminal = { ...plain, width, height, colours }
        const curves = Array.from({ length: count }, (_, index) => curveOf([0.00125 * index, 3, 123456, 2]))
        const drawn = mostCurves(count, terminal)
        const labels = curves.map((_, index) => `a/long/name/of/a/run_${index}/save`)
        const frame = frameOf(curves.slice(0, drawn), labels, options)
        const lines = renderPlot(frame, terminal, { count: count - drawn, noun: 'run' }).map((line) =>
          stripVTControlCharacters(shown(line)),
        )
        expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
        expect(lines.length).toBeLessThanOrEqual(height)
        expect(lines.some((line) => /[•★\u2801-\u28ff*a-z]/.test(line))).toBe(true)
        if (drawn < count && width >= 50) expect(lines.join('\n')).toContain(`${count - drawn} more`)
      }
    }
  })

  it('draws as many curves as its legend tells apart', () => {
    expect(mostCurves(50, { ...plain, height: 22, colours: true })).toBe(6)
    expect(mostCurves(50, { ...plain, height: 90, colours: true })).toBe(6)
    expect(mostCurves(50, { ...plain, height: 90, colours: false })).toBe(26)
    expect(mostCurves(3, { ...plain, height: 22, colours: true })).toBe(3)
  })
})

it('a logarithmic scale has no place for values that are all 0 or below', () => {
  expect(frameOf([curveOf([-1, 0, NaN])], ['loss'], { ...options, log: true }).isEmpty).toBe(true)
  expect(frameOf([curveOf([-1, 0, NaN])], ['loss'], options).isEmpty).toBe(false)
})
