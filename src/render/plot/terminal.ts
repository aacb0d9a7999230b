/** Curves in a terminal. */
import { painter, type Meaning } from '../colours.js'
import { shortenNames } from '../shorten.js'
import { displayWidth } from '../text-width.js'
import { formatNumber, plural } from '../units.js'
import { Canvas } from './canvas.js'
import type { Frame, Series, Tick } from './frame.js'

export interface TerminalOptions {
  /** Columns and rows of all of it, the legend included. */
  readonly width: number
  readonly height: number
  readonly colours: boolean
  /** Braille and arrows, or plain ASCII. */
  readonly unicode: boolean
}

/** In an order in which neighbours differ for colour-blind people too. */
const colours: readonly Meaning[] = ['first', 'warning', 'accent', 'second', 'good', 'bad']
const letters = 'abcdefghijklmnopqrstuvwxyz'.split('')
const smallest = { width: 20, height: 5 }
/** Rows of the legend, however low the terminal. */
const leastLegend = 2

export function renderPlot(frame: Frame, { width, height, colours: isColoured, unicode }: TerminalOptions): string[] {
  const paint = painter(isColoured)
  const tint = (series: number, text: string) => paint(colours[series % colours.length] ?? 'accent', text)
  const yTexts = frame.y.ticks.map(({ text }) => text)
  const margin = Math.max(1, ...yTexts.map(displayWidth))
  const isOne = frame.series.length === 1
  const legendRows = Math.min(frame.series.length, Math.max(leastLegend, Math.floor(height / 3)))
  const inside = {
    width: Math.max(smallest.width, width - margin - 2),
    height: Math.max(smallest.height, height - 3 - legendRows),
  }
  // Without colours braille cannot tell series apart.
  const braille = unicode && (isOne || isColoured)
  const canvas = new Canvas(inside.width, inside.height, { braille, letters: isOne ? ['*'] : letters })
  for (const [index, series] of frame.series.entries()) draw(canvas, series, index, unicode)
  const edge = unicode
    ? { side: '│', tick: '┤', corner: '└', floor: '─', down: '┬' }
    : { side: '|', tick: '+', corner: '+', floor: '-', down: '+' }
  const byRow = new Map(frame.y.ticks.map((tick) => [Math.round((1 - tick.at) * (inside.height - 1)), tick.text]))
  const rows = canvas.rows(tint).map((row, index) => {
    const text = byRow.get(index)
    return `${(text ?? '').padStart(margin)} ${text === undefined ? edge.side : edge.tick}${row}`
  })
  const floor = new Array<string>(inside.width).fill(edge.floor)
  // What the axis is stands at its end, where a last text may have to give way.
  const shown = fitting(frame.x.ticks, inside.width - displayWidth(frame.x.title) - 2, inside.width)
  for (const { column } of shown) floor[column] = edge.down
  return [
    ...(frame.y.title === '' ? [] : [paint('title', frame.y.title)]),
    ...rows,
    `${' '.repeat(margin + 1)}${edge.corner}${floor.join('')}`,
    `${' '.repeat(margin + 2)}${labelled(shown, inside.width, frame.x.title)}`,
    ...legend(frame.series, {
      signOf: (index) => (braille ? '━━' : isOne ? '*' : (letters[index % letters.length] ?? '*')),
      tint,
      width,
      marksWithin: inside.width,
      rows: legendRows,
      unicode,
    }),
  ]
}

function draw(canvas: Canvas, { line, marks, best }: Series, index: number, unicode: boolean): void {
  let before: Series['line'][number] = null
  for (const place of line) {
    if (place !== null) canvas.line(before ?? place, place, index)
    before = place
  }
  if (areMarked(marks, canvas.width)) for (const mark of marks) canvas.mark(mark, index, unicode ? '•' : 'o')
  if (best !== null) canvas.mark(best, index, unicode ? '★' : '#')
}

/** Where they stand closer they would hide the curve. */
function areMarked(marks: Series['marks'], columns: number): boolean {
  return marks.length <= columns / 2
}

interface ShownTick {
  readonly column: number
  readonly start: number
  readonly text: string
}

/** Those whose texts do not run into each other, nor beyond `room`. */
function fitting(ticks: readonly Tick[], room: number, width: number): ShownTick[] {
  const shown: ShownTick[] = []
  let free = 0
  for (const { at, text } of ticks) {
    const column = Math.round(at * (width - 1))
    const start = Math.min(Math.max(0, column - Math.floor(text.length / 2)), Math.max(0, width - text.length))
    if (start < free || start + text.length > room) continue
    shown.push({ column, start, text })
    free = start + text.length + 2
  }
  return shown
}

function labelled(ticks: readonly ShownTick[], width: number, title: string): string {
  let row = ''
  for (const { start, text } of ticks) row = row.padEnd(start) + text
  return `${row}  `.padEnd(width - displayWidth(title)) + title
}

interface LegendOptions {
  readonly signOf: (series: number) => string
  readonly tint: (series: number, text: string) => string
  readonly width: number
  /** Columns that the checkpoints are marked in. */
  readonly marksWithin: number
  readonly rows: number
  readonly unicode: boolean
}

/** A line for each curve, and for those that there is no room for one together. */
function legend(all: readonly Series[], options: LegendOptions): string[] {
  const { signOf, tint, width, rows, unicode } = options
  const told = all.length <= rows ? all : all.slice(0, rows - 1)
  const facts = told.map((series) => factsOf(series, options))
  const widest = Math.max(0, ...facts.map((fact, index) => displayWidth(fact) + signOf(index).length + 1))
  const labels = shortenNames(
    told.map(({ label }) => label),
    Math.max(smallest.width / 2, width - widest),
  )
  return [
    ...told.map(
      (_, index) => `${tint(index, signOf(index))} ${spelled(labels[index] ?? '', unicode)}${facts[index] ?? ''}`,
    ),
    ...(told.length < all.length
      ? [`${unicode ? '…' : '...'} and ${all.length - told.length} more: --height, --output or --json tells them`]
      : []),
  ]
}

/** What marks that a name is shortened, in letters that the terminal has. */
function spelled(label: string, unicode: boolean): string {
  return unicode ? label : label.replaceAll('…', '~')
}

function factsOf({ marks, best }: Series, { marksWithin, unicode }: LegendOptions): string {
  const sign = areMarked(marks, marksWithin) ? `${unicode ? '•' : 'o'} ` : ''
  const count = marks.length === 0 ? '' : `  ${sign}${plural(marks.length, 'checkpoint')}`
  const star = best === null ? '' : `  ${unicode ? '★' : '#'} ${formatNumber(best.value.y)}`
  return `${count}${star}`
}
