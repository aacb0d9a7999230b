/** What a picture of curves is made of, before it is text or SVG: scales, ticks and series. */
import { scaleLinear, scaleLog, scaleUtc } from 'd3-scale'
import { smoothed, type Curve, type CurveAxis, type CurvePoint } from '../../core/runs/index.js'
import { printable } from '../printable.js'
import { allDigits, formatNumber } from '../units.js'

export interface FrameOptions {
  readonly axis: CurveAxis
  readonly log: boolean
  /** Weight of what came before: 0 is none. */
  readonly smooth: number
  /** About that many ticks. */
  readonly ticks: { readonly x: number; readonly y: number }
}

export interface Tick {
  /** From 0 (left, bottom) to 1. */
  readonly at: number
  readonly text: string
}

/** A point of the picture, both from 0 to 1; null is a gap. */
export type PlotPoint = {
  readonly x: number
  readonly y: number
  readonly value: CurvePoint
  readonly name?: string
} | null

export interface Series {
  readonly label: string
  readonly line: readonly PlotPoint[]
  readonly marks: readonly NonNullable<PlotPoint>[]
  readonly best: NonNullable<PlotPoint> | null
}

export interface Frame {
  readonly series: readonly Series[]
  readonly x: { readonly title: string; readonly ticks: readonly Tick[] }
  readonly y: { readonly title: string; readonly ticks: readonly Tick[] }
  /** Values that a logarithmic scale has no place for. */
  readonly leftOut: number
  /** No value has a place in it. */
  readonly isEmpty: boolean
  /** Values too large to be drawn, or infinite. */
  readonly tooLarge: number
}

const fewestDigits = 5
/** A scale from its negative to it still has a length that is a number. */
const largest = 1e300
/** Nearer to each other, or to 0, than this no scale tells numbers apart. */
const smallest = 1e-290

/** `labels` has a name for each curve, shown as it is. */
export function frameOf(curves: readonly Curve[], labels: readonly string[], options: FrameOptions): Frame {
  const { log, smooth } = options
  const drawn = curves.map((curve) => (smooth > 0 ? smoothed(curve.points, smooth) : curve.points))
  const fits = (point: CurvePoint) => !isTooLarge(point) && !Number.isNaN(point.y) && (!log || point.y > smallest)
  const all = [...drawn.flat(), ...curves.flatMap(({ checkpoints }) => checkpoints)]
  const ys = all.filter(fits).map(({ y }) => y)
  const xs = all.filter(({ x }) => Math.abs(x) < largest).map(({ x }) => x)
  const x = xScale(options.axis, extentOf(xs), xs.every(Number.isInteger))
  const y = log ? scaleLog().domain(roundedOut(extentOf(ys))) : scaleLinear().domain(extentOf(ys)).nice()
  const locate = (value: CurvePoint, name?: string): PlotPoint =>
    fits(value) ? { x: x(value.x), y: y(value.y), value, ...(name === undefined ? {} : { name }) } : null
  const series = curves.map((curve, index): Series => {
    const marks = curve.checkpoints.flatMap((point) => locate(point, point.name) ?? [])
    const best = marks.find(({ name }) => name === curve.best?.name) ?? null
    return {
      label: printable(labels[index] ?? curve.key),
      line: (drawn[index] ?? []).map((one) => locate(one)),
      marks,
      best,
    }
  })
  const keys = [...new Set(curves.map(({ key }) => printable(key)))]
  return {
    series,
    x: { title: options.axis === 'time' ? 'time (UTC)' : options.axis, ticks: x.ticksAt(options.ticks.x) },
    y: { title: keys.length === 1 ? (keys[0] ?? '') : '', ticks: yTicks(y, options.ticks.y) },
    isEmpty: ys.length === 0,
    leftOut: log ? counted(curves, ({ y }) => y <= smallest) : 0,
    tooLarge: counted(curves, (point) => isTooLarge(point) && !(log && point.y <= smallest)),
  }
}

/** Never empty, for a scale of one value has no place for it. */
function extentOf(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  if (low > high) return [1, 10]
  if (high - low > smallest) return [low, high]
  return low > smallest ? [low / 2, low * 1.5] : [low - 1, low + 1]
}

function isTooLarge({ x, y }: CurvePoint): boolean {
  return Math.abs(y) >= largest || Math.abs(x) >= largest
}

/** Such values of the curves and their checkpoints; one that both tell of once. */
function counted(curves: readonly Curve[], isSuch: (point: CurvePoint) => boolean): number {
  const counts = curves.map(
    ({ points, checkpoints }) =>
      new Set([...points, ...checkpoints].flatMap((point) => (isSuch(point) ? [point.x] : []))).size,
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Of a logarithmic scale, from one round number to another: a whole decade would be empty for the most part. */
function roundedOut([low, high]: [number, number]): [number, number] {
  const [below, above] = [decadeOf(low), decadeOf(high)]
  const from = [5, 2, 1].map((digit) => digit * below).find((round) => round <= low) ?? low
  const to = [1, 2, 5, 10].map((digit) => digit * above).find((round) => round >= high) ?? high
  return Number.isFinite(to) && from > 0 && from < to ? [from, to] : [low, high]
}

function decadeOf(value: number): number {
  return Number(`1e${Math.floor(Math.log10(value))}`)
}

interface XScale {
  (value: number): number
  ticksAt: (count: number) => Tick[]
}

function xScale(axis: CurveAxis, [low, high]: [number, number], areWhole: boolean): XScale {
  if (axis === 'time') {
    const scale = scaleUtc().domain([low * 1000, high * 1000])
    const ticksAt = (count: number) => timeTicks(scale.ticks(count)).map(({ at, text }) => ({ at: scale(at), text }))
    return Object.assign((value: number) => scale(value * 1000), { ticksAt })
  }
  const scale = scaleLinear().domain([low, high])
  const ticksAt = (count: number) =>
    scale
      .ticks(count)
      .filter((tick) => Number.isInteger(tick) || !areWhole)
      .map((tick) => ({ at: scale(tick), text: formatNumber(tick) }))
  return Object.assign((value: number) => scale(value), { ticksAt })
}

/** As ISO 8601 writes them, without what all of them share: `23:45`, and `11-02` for the midnight among such. */
function timeTicks(ticks: readonly Date[]): { readonly at: Date; readonly text: string }[] {
  const texts = ticks.map((at) => at.toISOString())
  const areAll = (pattern: RegExp) => texts.every((text) => pattern.test(text))
  const partOf = (text: string): string => {
    if (areAll(/-01T00:00:00\.000/)) return text.slice(0, 7)
    if (text.endsWith('T00:00:00.000Z')) return text.slice(5, 10)
    if (areAll(/:00\.000/)) return text.slice(11, 16)
    return areAll(/\.000/) ? text.slice(11, 19) : text.slice(11, 23)
  }
  return ticks.map((at, index) => ({ at, text: partOf(texts[index] ?? '') }))
}

type YScale = ReturnType<typeof scaleLinear<number, number>> | ReturnType<typeof scaleLog<number, number>>

function yTicks(scale: YScale, count: number): Tick[] {
  const all = scale.ticks(count)
  const most = count * 1.5
  const round = 'base' in scale ? roundest(all, most) : all
  const every = Math.max(1, Math.ceil(round.length / most))
  const ticks = round.filter((_, index) => index % every === 0)
  const texts = textsOf(ticks)
  return ticks.map((tick, index) => ({ at: scale(tick), text: texts[index] ?? '' }))
}

/** A logarithmic scale gives all of a decade: of many those that people count by. */
function roundest(ticks: readonly number[], most: number): readonly number[] {
  const byDigits = ['123456789', '125', '13', '1'].map((digits) =>
    ticks.filter((tick) => digits.includes(firstDigit(tick))),
  )
  return byDigits.find(({ length }) => length <= most) ?? ticks
}

/** With as few digits as tell them apart. */
function textsOf(ticks: readonly number[]): string[] {
  for (let digits = fewestDigits; digits < allDigits; digits += 1) {
    const texts = ticks.map((tick) => formatNumber(Number(tick.toPrecision(digits)), digits))
    if (new Set(texts).size === texts.length) return texts
  }
  return ticks.map((tick) => formatNumber(tick, allDigits))
}

function firstDigit(value: number): string {
  return Math.abs(value).toExponential(0).charAt(0)
}
