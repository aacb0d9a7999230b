/** Curves in a terminal. */
import { painter, type Meaning } from '../colours.js'
import { shortenNames } from '../shorten.js'
import { cutText, displayWidth } from '../text-width.js'
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
const smallest = { width: 2, height: 1 }
/** Rows of the legend; below `low` rows of all there is one, and no title. */
const leastLegend = 2
const low = 8

/** As many curves as can be distinguished and the legend has room for. */
export function mostCurves(count: number, { height, colours: isColoured }: TerminalOptions): number {
  const rows = legendRows(count, height)
  const most = Math.min(rows, isColoured ? colours.length : letters.length)
  // One line says how many more there are.
  return count <= most ? count : Math.max(1, Math.min(most, rows - 1))
}

function legendRows(count: number, height: number): number {
  return Math.min(count, height < low ? 1 : Math.max(leastLegend, Math.floor(height / 3)))
}

/** `more` are the curves that are not drawn: their number, and what they are. */
export function renderPlot(frame: Frame, options: TerminalOptions, more = { count: 0, noun: 'curve' }): string[] {
  const { width, height, colours: isColoured, unicode } = options
  const paint = painter(isColoured)
  const tint = (series: number, text: string) => paint(colours[series % colours.length] ?? 'accent', text)
  const yTexts = frame.y.ticks.map(({ text }) => text)
  const margin = Math.max(1, ...yTexts.map(displayWidth))
  const isOne = frame.series.length === 1
  const legends = frame.series.length + Math.min(1, more.count)
  const legendRoom = Math.min(legends, legendRows(frame.series.length + more.count, height))
  const title = frame.y.title === '' || height < low ? [] : [paint('title', cutText(frame.y.title, width))]
  const inside = {
    width: Math.max(smallest.width, width - margin - 2),
    height: Math.max(smallest.height, height - title.length - 2 - legendRoom),
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
  const axis = cutText(frame.x.title, inside.width)
  const shown = fitting(frame.x.ticks, inside.width - displayWidth(axis) - 2, inside.width)
  for (const { column } of shown) floor[column] = edge.down
  return [
    ...title,
    ...rows,
    `${' '.repeat(margin + 1)}${edge.corner}${floor.join('')}`,
    `${' '.repeat(margin + 2)}${labelled(shown, inside.width, axis)}`,
    ...legend(frame.series, more, {
      signOf: (index) => (braille ? '━━' : isOne ? '*' : (letters[index % letters.length] ?? '*')),
      tint,
      width,
      marksWithin: inside.width,
      rows: legendRoom,
      unicode,
    }),
  ]
}

function draw(canvas: Canvas, { line, marks, best }: Series, index: number, unicode: boolean): void {
  let before: Series['line'][number] = null
  for (const point of line) {
    if (point !== null) canvas.line(before ?? point, point, index)
    before = point
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
  return `${row}${row === '' ? '' : '  '}`.padEnd(width - displayWidth(title)) + title
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

/** A line for each curve, and one for those that are not drawn. */
function legend(all: readonly Series[], more: { count: number; noun: string }, options: LegendOptions): string[] {
  const { signOf, tint, width, rows, unicode } = options
  const isShort = rows === 1 && more.count > 0
  const shown = all.slice(0, more.count > 0 ? Math.max(1, rows - 1) : rows)
  const facts = factsFor(shown, signOf, options)
  const widest = Math.max(0, ...facts.map((fact, index) => displayWidth(fact) + signOf(index).length + 1))
  const labels = shortenNames(
    shown.map(({ label }) => label),
    Math.max(leastLabel, width - widest),
  )
  const lines = shown.map((_, index) => {
    const fact = isShort ? `  … and ${more.count} more` : (facts[index] ?? '')
    const text = cutText(`${labels[index] ?? ''}${fact}`, width - signOf(index).length - 1)
    return `${tint(index, signOf(index))} ${spelled(text, unicode)}`
  })
  return more.count === 0 || isShort ? lines : [...lines, spelled(cutText(describeMore(more), width), unicode)]
}

/** Columns of a name in the legend. */
const leastLabel = 6

function describeMore({ count, noun }: { count: number; noun: string }): string {
  return `… and ${plural(count, `more ${noun}`)} not drawn: --output, --height or fewer names`
}

/** What the legend says of each; in a narrow picture only its best. */
function factsFor(shown: readonly Series[], signOf: (series: number) => string, options: LegendOptions): string[] {
  const isRoomy = shown.every(
    (series, index) => signOf(index).length + leastLabel + displayWidth(factsOf(series, options)) < options.width,
  )
  return shown.map((series) => (isRoomy ? factsOf(series, options) : starOf(series, options)))
}

/** What marks that a name is shortened, in letters that the terminal has. */
function spelled(label: string, unicode: boolean): string {
  return unicode ? label : label.replaceAll('…', '~')
}

function factsOf(series: Series, options: LegendOptions): string {
  const { marks } = series
  const sign = areMarked(marks, options.marksWithin) ? `${options.unicode ? '•' : 'o'} ` : ''
  const count = marks.length === 0 ? '' : `  ${sign}${plural(marks.length, 'checkpoint')}`
  return `${count}${starOf(series, options)}`
}

function starOf({ best }: Series, { unicode }: LegendOptions): string {
  return best === null ? '' : `  ${unicode ? '★' : '#'} ${formatNumber(best.value.y)}`
}
