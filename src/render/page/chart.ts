/** The curves: hovered, zoomed, and gone along with the arrow keys. */
import uPlot from 'uplot'
import { printable } from '../printable.js'
import { pluralIs } from '../units.js'
import type { AxisName, ReportData } from '../report/data.js'
import { button, checkbox, chooser, element, fillChoices, section } from './dom.js'
import { drawnOf, linesOf, type Drawn, type Line } from './curves.js'
import { keysOf } from './checkpoints.js'
import { shownTime, shownValue } from './values.js'

/** Okabe and Ito's, which colour-blind people can distinguish; further lines are dashed. */
const onLight = ['#0072b2', '#b35900', '#007a5a', '#a8487f', '#c44500', '#2f7fb8', '#5b5b00']
const onDark = ['#56b4e9', '#e69f00', '#00c08b', '#e08fbd', '#ff7b33', '#9fd0ff', '#f0e442']
const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]]

/** Runs drawn at first: more could not be distinguished. */
const fewLines = 12
/** Values that the small box tells of at once. */
const mostNamed = 8

export class ChartSection {
  readonly root: HTMLElement
  readonly #box = element('div', { class: 'chart', tabindex: 0, role: 'img' })
  readonly #tip = element('div', { class: 'tip', hidden: true })
  readonly #status = element('p', { role: 'status', class: 'hint' })
  readonly #note = element('p', { class: 'hint' })
  readonly #runs = element('div', { class: 'checks tall', role: 'group', 'aria-label': 'Runs that are drawn' })
  readonly #keys: HTMLSelectElement
  readonly #axes: HTMLSelectElement
  #data: ReportData
  #key: string
  #axis: AxisName
  #log = false
  #smooth = 0
  #hidden = new Set<string>()
  #drawn: Drawn | null = null
  #plot: uPlot | null = null

  constructor(data: ReportData) {
    this.#data = data
    this.#key = keysOf(data)[0] ?? ''
    this.#axis = data.axis
    for (const { run } of data.runs.slice(fewLines)) this.#hidden.add(run)
    const keys = chooser('Metric', [], '', (value) => {
      this.#key = value
      this.#begin()
    })
    const along = chooser('Along', [], '', (value) => {
      this.#axis = value as AxisName
      this.#begin()
    })
    const smooth = chooser('Smoothing', smoothings, '0', (value) => {
      this.#smooth = Number(value)
      this.draw()
    })
    this.#keys = keys.select
    this.#axes = along.select
    const log = checkbox('logarithmic', false, (isOn) => {
      this.#log = isOn
      this.draw()
    })
    this.root = section(
      'curves',
      'Curves',
      element('div', { class: 'controls' }, keys.field, along.field, smooth.field, log),
      this.#box,
      element(
        'div',
        { class: 'controls' },
        button('Zoom in', () => this.#zoom(0.5)),
        button('Zoom out', () => this.#zoom(2)),
        button('Show all', () => this.#showAll()),
      ),
      this.#status,
      this.#note,
      ...(data.runs.length > 1 ? [this.#runs] : []),
    )
    this.#box.addEventListener('keydown', (event) => this.#onKey(event))
    this.#box.addEventListener('mouseleave', () => this.#hideTip())
    new ResizeObserver(() => this.#resize()).observe(this.#box)
    window.addEventListener('beforeprint', () => this.draw())
    window.addEventListener('afterprint', () => this.draw())
    this.#begin()
  }

  update(data: ReportData): void {
    this.#data = data
    this.#begin()
  }

  /** Anew: the key or the axis is another, or the data are. */
  #begin(): void {
    const keys = keysOf(this.#data).filter((key) => axesOf(this.#data, key).length > 0)
    if (!keys.includes(this.#key)) this.#key = keys[0] ?? ''
    const axes = axesOf(this.#data, this.#key)
    if (!axes.includes(this.#axis)) this.#axis = axes[0] ?? 'step'
    fillChoices(
      this.#keys,
      keys.map((key) => ({ value: key, label: key })),
      this.#key,
    )
    fillChoices(
      this.#axes,
      axes.map((axis) => ({ value: axis, label: axis })),
      this.#axis,
    )
    this.#drawRuns()
    this.draw()
  }

  #drawRuns(): void {
    const boxes = linesOf(this.#data, this.#key, this.#axis).map((line) => {
      const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' })
      swatch.style.background = colourOf(line)
      return checkbox(
        line.run.label,
        !this.#hidden.has(line.run.run),
        (isOn) => {
          if (isOn) this.#hidden.delete(line.run.run)
          else this.#hidden.add(line.run.run)
          this.draw()
        },
        swatch,
      )
    })
    this.#runs.replaceChildren(...boxes)
  }

  /** With the colours that hold now. */
  redraw(): void {
    this.#drawRuns()
    this.draw()
  }

  draw(): void {
    this.#plot?.destroy()
    this.#plot = null
    const lines = linesOf(this.#data, this.#key, this.#axis).filter(({ run }) => !this.#hidden.has(run.run))
    this.#drawn = drawnOf(lines, { log: this.#log, smooth: this.#smooth })
    this.#announce(lines)
    this.#hideTip()
    if (lines.length === 0) {
      this.#box.replaceChildren(element('p', { class: 'hint' }, 'nothing to draw'))
      return
    }
    this.#box.replaceChildren(this.#tip)
    this.#plot = new uPlot(this.#options(lines), this.#drawn.columns, this.#box)
  }

  #announce(lines: readonly Line[]): void {
    const { leftOut = 0 } = this.#drawn ?? {}
    const logs = lines.reduce((sum, { curve }) => sum + curve.logs.length, 0)
    const bests = lines.flatMap(({ run, curve: { best, marks } }) =>
      best === null
        ? []
        : [`${run.label}: best ${shownValue(marks.y[best])} (${nameAt(run.checkpoints, marks.rows[best])})`],
    )
    this.#box.setAttribute(
      'aria-label',
      printable(
        `${this.#key} along ${this.#axis}, ${lines.length} curves. ${bests.slice(0, mostNamed).join('. ')}. Arrow keys go along.`,
      ),
    )
    this.#note.textContent = printable(
      [
        logs === 0 ? 'Each point is a checkpoint.' : 'The lines are what was logged; the points are checkpoints.',
        'Drag to zoom, double-click to show all.',
        ...(leftOut === 0 ? [] : [`${pluralIs(leftOut, 'value')} not above 0: no place on a logarithmic scale.`]),
        ...(lines.length === 1 ? bests : []),
      ].join(' '),
    )
  }

  #options(lines: readonly Line[]): uPlot.Options {
    const { ink, grid } = chartColours()
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
    return {
      width: this.#width,
      height: heightFor(this.#width),
      legend: { show: false },
      cursor: { drag: { x: true, y: true, uni: 20 }, points: { size: 8 } },
      scales: { x: { time: this.#axis === 'time' }, y: this.#log ? logarithmic : {} },
      axes: [
        { ...axis, label: this.#axis, labelSize: 20, ...(this.#countsWhole ? { incrs: wholeSteps } : {}) },
        {
          ...axis,
          size: 64,
          values: (_, splits) => splits.map((value) => (Number.isFinite(value) ? shownValue(value, 4) : '')),
        },
      ],
      series: [{}, ...lines.flatMap((line) => seriesOf(line))],
      hooks: { setCursor: [() => this.#showTip()], draw: [(plot) => this.#drawBest(plot)] },
    }
  }

  /** There is no checkpoint between two epochs. */
  get #countsWhole(): boolean {
    const [xs = []] = this.#drawn?.columns ?? []
    return this.#axis !== 'time' && Array.from(xs).every(Number.isInteger)
  }

  /** A ring around the best of each line. */
  #drawBest(plot: uPlot): void {
    const { ctx } = plot
    for (const line of this.#drawn?.lines ?? []) {
      const { best, marks } = line.curve
      const [x, y] = best === null ? [] : [marks.x[best], marks.y[best]]
      if (typeof x !== 'number' || typeof y !== 'number' || !isWithin(plot, 'x', x) || !isWithin(plot, 'y', y)) continue
      ctx.save()
      ctx.strokeStyle = colourOf(line)
      ctx.lineWidth = 2 * devicePixelRatio
      ctx.beginPath()
      ctx.arc(plot.valToPos(x, 'x', true), plot.valToPos(y, 'y', true), 7 * devicePixelRatio, 0, 2 * Math.PI)
      ctx.stroke()
      ctx.restore()
    }
  }

  get #width(): number {
    return Math.max(200, this.#box.clientWidth)
  }

  #resize(): void {
    const width = this.#width
    if (this.#plot !== null && this.#plot.width !== width) this.#plot.setSize({ width, height: heightFor(width) })
  }

  #onKey(event: KeyboardEvent): void {
    const plot = this.#plot
    if (plot === null) return
    const steps = new Map([
      ['ArrowLeft', -1],
      ['ArrowRight', 1],
      ['Home', -Infinity],
      ['End', Infinity],
    ])
    const step = steps.get(event.key)
    if (step === undefined) return
    event.preventDefault()
    const xs = Array.from(plot.data[0])
    const { min = 0, max = 0 } = plot.scales['x'] ?? {}
    const visible = xs.flatMap((x, index) => (x >= min && x <= max ? [index] : []))
    const at = visible.indexOf(plot.cursor.idx ?? -1)
    const to = Math.min(visible.length - 1, Math.max(0, at === -1 && step > 0 && step < Infinity ? 0 : at + step))
    const x = xs[visible[to] ?? 0]
    if (x === undefined) return
    plot.setCursor({ left: plot.valToPos(x, 'x'), top: plot.bbox.height / devicePixelRatio / 2 })
    this.#status.textContent = this.#linesAt(plot)
      .map(({ text }) => text)
      .join('; ')
  }

  #zoom(by: number): void {
    const plot = this.#plot
    const { min, max } = plot?.scales['x'] ?? {}
    if (plot === null || min == null || max == null) return
    const middle = (min + max) / 2
    const half = ((max - min) / 2) * by
    const [xs] = plot.data
    const from = Math.max(xs[0] ?? min, middle - half)
    const to = Math.min(xs.at(-1) ?? max, middle + half)
    if (to > from) plot.setScale('x', { min: from, max: to })
  }

  #showAll(): void {
    const plot = this.#plot
    if (plot === null) return
    plot.setData(plot.data, true)
  }

  #showTip(): void {
    const plot = this.#plot
    const { left = -1, top = 0, idx } = plot?.cursor ?? {}
    if (plot === null || left < 0 || idx == null) {
      this.#hideTip()
      return
    }
    const x = plot.data[0][idx]
    const heading = this.#axis === 'time' ? shownTime(x ?? null) : `${this.#axis} ${shownValue(x)}`
    const lines = this.#linesAt(plot).map(({ text, colour }) => {
      const swatch = element('span', { class: 'swatch' })
      swatch.style.background = colour
      return element('div', {}, swatch, element('span', {}, text))
    })
    this.#tip.replaceChildren(element('strong', {}, heading), ...lines)
    this.#tip.hidden = false
    const isRight = left > plot.width / 2
    const offset = plot.over.offsetLeft
    this.#tip.style.left = isRight ? 'auto' : `${offset + left + 14}px`
    this.#tip.style.right = isRight ? `${plot.width - offset - left + 14}px` : 'auto'
    this.#tip.style.top = `${Math.max(0, top - 20)}px`
  }

  #hideTip(): void {
    this.#tip.hidden = true
  }

  /** What the lines have at the cursor; of many those that are nearest to it. */
  #linesAt(plot: uPlot): { text: string; colour: string }[] {
    const { idx, top = 0 } = plot.cursor
    const drawn = this.#drawn
    if (idx == null || drawn === null) return []
    const x = plot.data[0][idx]
    return drawn.lines
      .flatMap((line, index) => {
        const value = plot.data[2 * index + 1]?.[idx] ?? plot.data[2 * index + 2]?.[idx]
        if (value == null || x === undefined) return []
        const name = drawn.names[index]?.get(x)
        const label = drawn.lines.length > 1 ? `${line.run.label} ` : ''
        const text = `${label}${this.#key} ${shownValue(value, 17)}${name === undefined ? '' : ` (${name})`}`
        return [{ text: printable(text), colour: colourOf(line), away: Math.abs(plot.valToPos(value, 'y') - top) }]
      })
      .sort((a, b) => a.away - b.away)
      .slice(0, mostNamed)
  }
}

/** uPlot's number for it (uPlot.Scale.Distr). */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- it is in the types alone, and gone at run time
const logarithmic: uPlot.Scale = { distr: 3 }

/** Between two ticks. */
const wholeSteps = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

const smoothings = ['0', '0.6', '0.9', '0.99'].map((value) => ({ value, label: value === '0' ? 'none' : value }))

function axesOf({ runs }: ReportData, key: string): AxisName[] {
  const axes = new Set(runs.flatMap(({ curves }) => curves.flatMap((one) => (one.key === key ? [one.axis] : []))))
  return (['step', 'epoch', 'time'] as const).filter((axis) => axes.has(axis))
}

/** False for what a zoom leaves outside. */
function isWithin({ scales }: uPlot, scale: 'x' | 'y', value: number): boolean {
  const { min, max } = scales[scale] ?? {}
  return min != null && max != null && value >= min && value <= max
}

function nameAt(checkpoints: readonly { readonly name: string }[], row: number | undefined): string {
  return row === undefined ? '' : (checkpoints[row]?.name ?? '')
}

/** The line, and its checkpoints as points alone. */
function seriesOf(line: Line): uPlot.Series[] {
  const stroke = colourOf(line)
  const dash = dashes[Math.floor(line.index / onLight.length) % dashes.length] ?? []
  const isMany = line.curve.marks.x.length > 200
  return [
    { stroke, width: 1.5, dash, spanGaps: false, points: { show: false } },
    { stroke, paths: () => null, points: { show: !isMany, size: 6, fill: stroke, stroke } },
  ]
}

function colourOf({ index }: Line): string {
  const colours = isDark() ? onDark : onLight
  return colours[index % colours.length] ?? '#888'
}

function isDark(): boolean {
  if (window.matchMedia('print').matches) return false
  const { theme } = document.documentElement.dataset
  return theme === undefined ? window.matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark'
}

function chartColours(): { readonly ink: string; readonly grid: string } {
  const style = getComputedStyle(document.documentElement)
  return { ink: style.getPropertyValue('--ink'), grid: style.getPropertyValue('--grid') }
}

function heightFor(width: number): number {
  return Math.round(Math.min(460, Math.max(240, width * 0.45)))
}
