/** Curves as a picture of lines (SVG 1.1), by itself or in a page. Nothing from a file can become markup in it. */
import { line } from 'd3-shape'
import { escapeMarkup } from '../markup.js'
import { printable } from '../printable.js'
import { shortenNames } from '../shorten.js'
import { allDigits, formatNumber } from '../units.js'
import type { Frame, PlotPoint, Series } from './frame.js'

/** Okabe and Ito's, which colour-blind people can distinguish. */
const colours = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9']
/** Further curves differ by how their lines are dashed. */
const dashes = ['', '8 4', '2 3', '10 3 2 3']
/** Curves whose lines differ from each other. */
export const mostCurvesOfPicture = colours.length * dashes.length
const outside = { left: 70, right: 20, top: 30, bottom: 50 }
const legendRow = 18

export interface SvgOptions {
  readonly width: number
  readonly height: number
  readonly title: string
  /** What is said of curves that are not drawn. */
  readonly more?: string | undefined
}

export function renderSvg(frame: Frame, { width, height, title, more }: SvgOptions): string {
  const inside = { width: width - outside.left - outside.right, height: height - outside.top - outside.bottom }
  const x = (fraction: number) => round(outside.left + fraction * inside.width)
  const y = (fraction: number) => round(outside.top + (1 - fraction) * inside.height)
  const moreRow = height + legendRow * frame.series.length
  const total = moreRow + (more === undefined ? 0 : legendRow)
  const draw = {
    x,
    y,
    path: line<PlotPoint>()
      .defined((point) => point !== null)
      .x((point) => x(point?.x ?? 0))
      .y((point) => y(point?.y ?? 0)),
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escapeMarkup(title)}</title>`,
    `<rect class="paper" width="${width}" height="${total}" fill="#fff"/>`,
    ...frame.y.ticks.map(
      ({ at, text }) =>
        `<g class="tick"><line x1="${x(0)}" x2="${x(1)}" y1="${y(at)}" y2="${y(at)}" stroke="#8884"/><text x="${x(0) - 8}" y="${y(at) + 4}" text-anchor="end">${escapeMarkup(text)}</text></g>`,
    ),
    ...frame.x.ticks.map(
      ({ at, text }) =>
        `<g class="tick"><line x1="${x(at)}" x2="${x(at)}" y1="${y(0)}" y2="${y(0) + 5}" stroke="#888"/><text x="${x(at)}" y="${y(0) + 18}" text-anchor="middle">${escapeMarkup(text)}</text></g>`,
    ),
    `<line x1="${x(0)}" x2="${x(1)}" y1="${y(0)}" y2="${y(0)}" stroke="#888"/>`,
    `<text x="${x(0.5)}" y="${y(0) + 38}" text-anchor="middle">${escapeMarkup(frame.x.title)}</text>`,
    `<text x="${outside.left}" y="18" font-weight="bold">${escapeMarkup(frame.y.title)}</text>`,
    ...frame.series.flatMap((series, index) => seriesMarkup(series, index, draw)),
    ...legendMarkup(frame.series, width, height),
    ...(more === undefined ? [] : [`<text x="${legendText}" y="${moreRow + 4}">${escapeMarkup(more)}</text>`]),
    '</svg>',
    '',
  ].join('\n')
}

interface Draw {
  readonly x: (fraction: number) => number
  readonly y: (fraction: number) => number
  readonly path: (points: PlotPoint[]) => string | null
}

function seriesMarkup(series: Series, index: number, { x, y, path }: Draw): string[] {
  const colour = colourOf(index)
  const d = path([...series.line]) ?? ''
  return [
    ...(d === '' ? [] : [`<path d="${d}" fill="none" ${strokeOf(index)} stroke-width="1.5" stroke-linecap="round"/>`]),
    ...series.marks.map((mark) =>
      markMarkup(mark, mark === series.best ? 6 : 3, colour, mark === series.best, { x, y }),
    ),
  ]
}

/** Pixels that a letter takes at most, for the most part. */
const letterWidth = 7.2
const leastLabel = 12
const legendText = outside.left + 28

/** A line for each series; names for which there is no room are shortened, and shown in full where a pointer rests. */
function legendMarkup(all: readonly Series[], width: number, height: number): string[] {
  const facts = all.map(bestOf)
  const room = Math.floor((width - legendText) / letterWidth) - Math.max(0, ...facts.map(({ length }) => length))
  const labels = shortenNames(
    all.map(({ label }) => label),
    Math.max(leastLabel, room),
  )
  return all.flatMap(({ label }, index) => {
    const row = height + legendRow * index
    const text = `${labels[index] ?? ''}${facts[index] ?? ''}`
    return [
      `<line x1="${outside.left}" x2="${outside.left + 20}" y1="${row}" y2="${row}" ${strokeOf(index)} stroke-width="4"/>`,
      `<text x="${legendText}" y="${row + 4}"><title>${escapeMarkup(label)}</title>${escapeMarkup(text)}</text>`,
    ]
  })
}

function bestOf({ best }: Series): string {
  return best === null ? '' : ` (best: ${formatNumber(best.value.y)}, ${printable(best.name ?? '')})`
}

function colourOf(index: number): string {
  return colours[index % colours.length] ?? '#000'
}

function strokeOf(index: number): string {
  const dash = dashes[Math.floor(index / colours.length) % dashes.length] ?? ''
  return `stroke="${colourOf(index)}"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`
}

function markMarkup(
  { x: left, y: bottom, value, name = '' }: NonNullable<PlotPoint>,
  radius: number,
  colour: string,
  isBest: boolean,
  { x, y }: Pick<Draw, 'x' | 'y'>,
): string {
  const title = `${printable(name)}: ${formatNumber(value.y, allDigits)}`
  const look = isBest ? `fill="none" stroke="${colour}" stroke-width="2"` : `fill="${colour}"`
  return `<circle cx="${x(left)}" cy="${y(bottom)}" r="${radius}" ${look} data-x="${value.x}" data-y="${value.y}"><title>${escapeMarkup(title)}</title></circle>`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

/** A page of its own around a picture: nothing is loaded, nothing in it runs. */
export function renderPage(svg: string, title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>
:root { color-scheme: light dark }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; font-family: system-ui, sans-serif }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
svg { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { .paper { fill: transparent } svg text { fill: #ddd } }
</style>
</head>
<body>
<main>
<h1>${escapeMarkup(title)}</h1>
${svg}</main>
</body>
</html>
`
}
