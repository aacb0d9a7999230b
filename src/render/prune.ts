/** A prune's plan, its question and its outcome. */
import { addTo } from '../core/grouped.js'
import { isDamaged, isSound, isUnreadable, timeOf, type Checkpoint, type Run } from '../core/checkpoint.js'
import { describeStay, type RemovalResult } from '../core/changes/disposal/index.js'
import { bestPerMetric, byRecency, metricOrdersOfEach, valueFor } from '../core/choosing/selection/index.js'
import type { CarriedOut, Intent, Pointed, PrunePlan } from '../core/runs/index.js'
import { summarise } from './checkpoints.js'
import { painter } from './colours.js'
import { hang, hangBehindPath } from './hanging-indent.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { formatAge, formatNumber, formatSize, plural, sizeOrDash } from './units.js'
import { displayWidth } from './text-width.js'

interface PlanView {
  /** Unix seconds. */
  readonly now: number
  readonly output: Output
}

export function renderPlan(run: Run, plan: PrunePlan, view: PlanView): string[] {
  const paint = painter(view.output.colours)
  const row = rowsOf(run, view)
  const kept = plan.keep.flatMap(({ checkpoint, reasons }) =>
    row(checkpoint, reasons.map(({ text }) => text).join('; ')),
  )
  const { length } = plan.keep
  const sum = `${plural(length, 'checkpoint')} ${length === 1 ? 'stays' : 'stay'}`
  const title = hangBehindPath(run.path, sum, view.output.width).map((line) => paint('title', line))
  return [...title, ...kept, ...goingLines(run, plan, view)]
}

/** What a plan removes, alone. */
export function renderGoing(run: Run, plan: PrunePlan, view: PlanView): string[] {
  return [painter(view.output.colours)('title', `${printable(run.path)}:`), ...goingLines(run, plan, view)]
}

function goingLines(run: Run, plan: PrunePlan, view: PlanView): string[] {
  const paint = painter(view.output.colours)
  if (plan.remove.length === 0) return [paint('title', 'nothing to remove')]
  const row = rowsOf(run, view)
  const bests = bestsGoing(plan, view.now)
  const metrics = metricsOf(view.now)
  const removed = plan.remove.flatMap(({ checkpoint, reason }) => {
    const best = bests.get(checkpoint.path) ?? []
    const facts = [reason.text, ...best.map(describeBest), ...metrics(checkpoint)]
    return row(checkpoint, facts.join('; ')).map((text) => paint(best.length === 0 ? 'bad' : 'warning', text))
  })
  const title = `to remove: ${plural(plan.remove.length, 'checkpoint')}, ${describeGoingBytes(plan)}`
  const pointers = plan.pointers.map((one) => printable(`  ${describePointed(one, 'will')}`))
  return [paint('title', title), ...removed, ...pointers]
}

/** The sum of the rows, and what the disk gets back where that is less. */
function describeGoingBytes({ remove, freedBytes }: PrunePlan): string {
  const bytes = remove.reduce((sum, { checkpoint }) => sum + (checkpoint.size ?? 0), 0)
  if (bytes === freedBytes) return formatSize(bytes)
  return `${formatSize(bytes)}; frees ${formatSize(freedBytes)}, as files have other names, or holes`
}

/** One checkpoint with its size, and why it stays or goes. */
function rowsOf(run: Run, { now, output }: PlanView) {
  const width = Math.max(0, ...run.checkpoints.map(({ name }) => displayWidth(printable(name))))
  return (checkpoint: Checkpoint, why: string) => {
    const name = printable(checkpoint.name)
    const space = ' '.repeat(width - displayWidth(name))
    const facts = `${ageOf(checkpoint, now).padStart(5)}  ${sizeOrDash(checkpoint.size).padStart(8)}`
    const head = { text: `  ${name}${space}  ${facts}  `, width: width + facts.length + 6 }
    return hang(head, printable(why), output.width)
  }
}

/** For people: what a file of the framework's names before and after. */
export function describePointed({ file, from, to }: Pointed, tense: 'will' | 'now'): string {
  const [name, list, go] =
    tense === 'will' ? ['will name', 'will list', 'will go'] : ['now names', 'now lists', 'is gone']
  if (to === null) return `${file} ${go}: nothing whole stays that it could name`
  return from === to ? `${file} ${list} only what stays` : `${file} ${name} ${to}`
}

/** The same, and what of it will not be done. */
export function renderIntent(run: Run, { plan, going }: Intent, view: { now: number; output: Output }): string[] {
  return [...renderPlan(run, plan, view), ...going.refused.map((one) => printable(`  ${describeStay(one)}`))]
}

function ageOf(checkpoint: Checkpoint, now: number): string {
  const time = timeOf(checkpoint)
  return time === null ? '-' : formatAge(now - time)
}

/** For people, what could not be read, and therefore stays. */
export function describeUnreadable({ keep }: PrunePlan): string[] {
  return keep.flatMap(({ checkpoint }) =>
    isUnreadable(checkpoint)
      ? [`${printable(checkpoint.name)} could not be read, and stays: ${summarise(checkpoint.health)}`]
      : [],
  )
}

/** For people, what is damaged and stays all the same. */
export function describeDamaged({ keep }: PrunePlan): string[] {
  return keep.flatMap(({ checkpoint }) =>
    isDamaged(checkpoint)
      ? [`${printable(checkpoint.name)} is damaged, and stays: ${summarise(checkpoint.health)}`]
      : [],
  )
}

/** What to warn of when all that may go is not enough. */
export function renderMissing({ missingBytes }: PrunePlan): string {
  return `still ${formatSize(missingBytes)} short of the space target; everything else is protected or kept`
}

/** A metric by which one is the best. */
interface BestBy {
  readonly key: string
  /** Damaged ones count too, or the whole ones alone. */
  readonly among: 'all' | 'whole'
  readonly isDamaged: boolean
}

/** By path, the metrics by which a checkpoint that goes is the best of all, also of those that stay. */
function bestsGoing({ keep, remove }: Pick<PrunePlan, 'keep' | 'remove'>, now: number): ReadonlyMap<string, BestBy[]> {
  const going = new Set(remove.map(({ checkpoint }) => checkpoint.path))
  const { ordered } = byRecency([...keep, ...remove].map(({ checkpoint }) => checkpoint))
  const whole = bestPerMetric(ordered, now)
  const damaged = ordered.filter((one) => !isSound(one))
  // Of equal ones the whole one is the best.
  const all = damaged.length === 0 ? whole : bestPerMetric([...ordered.filter(isSound), ...damaged], now, () => true)
  const bests = new Map<string, BestBy[]>()
  for (const [key, best] of all) {
    if (going.has(best.path)) addTo(bests, best.path, { key, among: 'all', isDamaged: !isSound(best) })
    const bestWhole = whole.get(key)
    if (bestWhole === undefined || bestWhole === best || !going.has(bestWhole.path)) continue
    addTo(bests, bestWhole.path, { key, among: 'whole', isDamaged: false })
  }
  return bests
}

function describeBest({ key, among, isDamaged }: BestBy): string {
  return `the best ${key} of ${among === 'all' ? 'all' : 'those that are whole'}${isDamaged ? ', though damaged' : ''}`
}

/** `WER 18.32`; those that its own step was measured at. */
function metricsOf(now: number): (checkpoint: Checkpoint) => string[] {
  const ordersOf = metricOrdersOfEach()
  return (checkpoint) =>
    ordersOf(checkpoint).flatMap((order) => {
      const value = valueFor(checkpoint, order, now)
      return value === undefined ? [] : [`${order.key} ${formatNumber(value)}`]
    })
}

/** Metrics by which one that goes is the best of all of its run, or of those that are whole. */
export function keysOfBestsGoing(plan: Pick<PrunePlan, 'keep' | 'remove'>, now: number): string[] {
  return [...new Set([...bestsGoing(plan, now).values()].flat().map(({ key }) => printable(key)))]
}

/** What goes that nothing that stays is as good as, in words; empty where nothing does. */
function describeBests(plan: Pick<PrunePlan, 'keep' | 'remove'>, now: number): string {
  const bests = [...bestsGoing(plan, now).values()].flat()
  const sentence = (isDamaged: boolean, words: string): string => {
    const keys = new Set(bests.filter((best) => best.isDamaged === isDamaged).map(({ key }) => printable(key)))
    if (keys.size === 0) return ''
    return ` The best by ${[...keys].join(', ')} ${keys.size === 1 ? 'is' : 'are'} ${words}.`
  }
  return sentence(false, 'among them') + sentence(true, 'among them, though damaged')
}

export function renderQuestion(
  plan: Pick<PrunePlan, 'keep' | 'remove' | 'freedBytes'>,
  now: number,
  trash = false,
): string {
  const bests = describeBests(plan, now)
  return `${bests.trimStart()}${bests === '' ? '' : ' '}${trash ? 'Move' : 'Remove'} ${plural(plan.remove.length, 'checkpoint')} (${formatSize(plan.freedBytes)})${trash ? ' to the trash' : ''}?`
}

export function renderRemoval(removal: CarriedOut | null, { colours }: Output, trash = false): string[] {
  if (removal === null) return []
  const paint = painter(colours)
  const { removed, freedBytes, finished } = removal
  const done = trash
    ? `moved ${plural(removed.length, 'checkpoint')} to the trash; ckpt trash empty frees the space`
    : `removed ${plural(removed.length, 'checkpoint')}, ${formatSize(freedBytes)} freed`
  return [
    ...(removed.length === 0 && finished.count > 0 ? [] : [paint('good', done)]),
    ...removal.pointed.map((one) => printable(describePointed(one, 'now'))),
    ...renderFinished(finished),
  ]
}

/** What became of what interrupted commands had left. */
export function renderFinished({ count, freedBytes }: RemovalResult['finished']): string[] {
  return count === 0
    ? []
    : [`cleared ${plural(count, 'leftover')} of interrupted commands, ${formatSize(freedBytes)} freed`]
}

/** Of what is not carried out, as `--json` gives it. */
export function intentDocument(run: Run, { plan, going }: Intent): Record<string, unknown> {
  const failed = going.refused.map(({ name, error }) => ({ name, error: error.message }))
  return { ...pruneDocument(run, plan, null), failed }
}

/** As `--json` gives it (docs/json.md). */
export function pruneDocument(run: Run, plan: PrunePlan, removal: CarriedOut | null): Record<string, unknown> {
  const failed =
    removal === null ? [] : [...removal.failed, ...removal.remaining.map((one) => ({ name: one.name, error: null }))]
  return {
    run: run.path,
    keep: plan.keep.map(({ checkpoint, reasons }) => ({
      name: checkpoint.name,
      bytes: checkpoint.size,
      reasons: reasons.map(({ text }) => text),
    })),
    remove: plan.remove.map(({ checkpoint, reason }) => ({
      name: checkpoint.name,
      bytes: checkpoint.size,
      reasons: [reason.text],
    })),
    failed: failed.map(({ name, error }) => ({ name, error: error?.message ?? 'interrupted' })),
    pointers: (removal === null ? plan.pointers : removal.pointed).map(({ file, from, to }) => ({ file, from, to })),
    freedBytes: removal?.freedBytes ?? plan.freedBytes,
    missingBytes: plan.missingBytes,
    applied: removal !== null,
  }
}
