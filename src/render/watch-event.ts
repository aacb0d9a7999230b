/** What happens in watched runs, a line each. */
import { join, relative } from 'node:path'
import type { Checkpoint } from '../core/checkpoint.js'
import { metricOrders } from '../core/choosing/selection/index.js'
import type { JobState, WatchEvent, WatchedRun } from '../core/jobs/watch/index.js'
import { formatMeta, summarise, toDocument } from './checkpoints.js'
import { painter } from './colours.js'
import { toLocal } from './log.js'
import { printable } from './printable.js'
import { formatAge, formatAgo, formatNumber, formatSize, plural } from './units.js'

export interface EventView {
  /** Unix seconds. */
  readonly now: number
  /** Gives the local time. */
  readonly stamp: (time: number) => string
  readonly colours: boolean
  /** Of a screen: names are below this folder (absolute), and times are of today. */
  readonly below?: string
}

export function renderEvent(event: WatchEvent, { now, stamp, colours, below }: EventView): string {
  const painted = painter(colours)(meanings[event.event] ?? 'title', event.event.padEnd(8))
  const time = toLocal(stamp(now))
  const name = (path: string) => printable(below === undefined ? path : relative(below, path) || '.')
  return `${below === undefined ? time : time.slice(-8)}  ${painted}  ${describeEvent(event, name, now)}`
}

const meanings: Partial<Record<WatchEvent['event'], 'good' | 'bad' | 'warning' | 'faint'>> = {
  best: 'good',
  until: 'good',
  damaged: 'bad',
  vanished: 'bad',
  stalled: 'warning',
  space: 'warning',
  removed: 'faint',
}

/** Without its time and its word. */
function describeEvent(event: WatchEvent, name: (path: string) => string, now: number): string {
  const run = name(event.run)
  switch (event.event) {
    case 'watching':
    case 'appeared':
      return `${run}: ${describeRun(event.seen, now)}`
    case 'vanished':
      return run
    case 'new':
      return `${name(event.checkpoint.path)}${factsOf(event.checkpoint)}`
    case 'damaged':
      return `${name(event.checkpoint.path)}  ${summarise(event.checkpoint.health)}`
    case 'removed':
      return name(join(event.run, event.name))
    case 'best': {
      const was = event.before === null ? '' : ` (was ${formatNumber(event.before.value)})`
      return `${name(join(event.run, event.best.name))}  ${printable(event.metric)} ${formatNumber(event.best.value)}${was}`
    }
    case 'stalled':
      return `${run}: ${plural(event.checkpoints, 'checkpoint')} without a better ${printable(event.metric)} than ${formatNumber(event.best.value)} of ${printable(event.best.name)}`
    case 'job':
      return `${run}: ${describeJob(event.job, now)}`
    case 'space':
      return `${run}: ${describeSpace(event.free, event.room)}`
    case 'until':
      return `${name(join(event.run, event.name))}  ${printable(event.text)}`
  }
}

function describeRun({ ordered, best, metric, job, free }: WatchedRun, now: number): string {
  const [newest] = ordered
  return [
    plural(ordered.length, 'checkpoint') + (newest === undefined ? '' : `, the newest ${printable(newest.name)}`),
    ...(best === null || metric === null
      ? []
      : [`best ${printable(metric)} ${formatNumber(best.value)} (${printable(best.name)})`]),
    ...(job === null ? [] : [`job ${describeJob(job, now)}`]),
    ...(free === null ? [] : [`${formatSize(free)} free`]),
  ].join('; ')
}

/** The number of further checkpoints that fit on the disk is shown if it is below this. */
const manyMore = 1000

export function describeSpace(free: number, room: number | null): string {
  const more = room === null || room >= manyMore ? '' : `, room for ${room === 0 ? 'no' : `about ${room}`} more`
  return `${formatSize(free)} left${more}`
}

/** `running since 2h, start 2 from CKPT+…`. */
export function describeJob({ state, attempt, since, from, host, ending, why }: JobState, now: number): string {
  const age = formatAge(Math.max(0, now - since))
  const ago = formatAgo(Math.max(0, now - since))
  const began = `start ${attempt}${from === null ? '' : ` from ${printable(from)}`}`
  const ended = `${printable(ending ?? '')}${why === null || why === '' ? '' : `: ${printable(why)}`}`
  switch (state) {
    case 'running':
      return `running for ${age === 'now' ? '0s' : age}, ${began}${host === '' ? '' : `, on ${printable(host)}`}`
    case 'waiting':
      return `waits to be started again; start ${attempt} ended ${ago} (${ended})`
    case 'queued':
      return `in the queue again; start ${attempt} ended ${ago} (${ended})`
    case 'ended':
      return `ended ${ago} (${ended}), ${began}`
    case 'unseen':
      return `gone: ${began} was ${ago}, and nobody saw it end`
  }
}

function factsOf(checkpoint: Checkpoint): string {
  const { epoch, step, size, meta } = checkpoint
  const facts = [
    ...(epoch === null ? [] : [`epoch ${formatNumber(epoch)}`]),
    ...(step === null ? [] : [`step ${formatNumber(step)}`]),
    ...metricOrders([checkpoint]).map(({ key }) => `${printable(key)} ${formatMeta(meta.get(key))}`),
    ...(size === null ? [] : [formatSize(size)]),
  ]
  return facts.map((fact) => `  ${fact}`).join('')
}

/** As `--json` gives it, one object a line (docs/json.md). `time` is Unix seconds. */
export function eventDocument(event: WatchEvent, time: number): Record<string, unknown> {
  const head = { time, event: event.event, run: event.run }
  switch (event.event) {
    case 'watching':
    case 'appeared': {
      const { ordered, metric, best, since, job, free } = event.seen
      const newest = ordered[0]?.name ?? null
      return { ...head, checkpoints: ordered.length, newest, metric, best, since, job, free }
    }
    case 'vanished':
      return head
    case 'new':
    case 'damaged':
      return { ...head, checkpoint: toDocument(event.checkpoint) }
    case 'removed':
      return { ...head, name: event.name }
    case 'best': {
      const { metric, best, before } = event
      return { ...head, metric, best, before }
    }
    case 'stalled': {
      const { metric, checkpoints, best } = event
      return { ...head, metric, checkpoints, best }
    }
    case 'job':
      return { ...head, job: event.job }
    case 'space':
      return { ...head, free: event.free, room: event.room }
    case 'until':
      return { ...head, name: event.name, expression: event.text }
  }
}
