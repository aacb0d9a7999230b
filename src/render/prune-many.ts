/** A prune of many runs, summed up. */
import { freedTogether } from '../core/changes/disposal/index.js'
import type { DoneRun, LeftAlone, ManyPlans, PlannedRun } from '../core/runs/index.js'
import { painter, type Paint } from './colours.js'
import { hang } from './hanging-indent.js'
import { abridgeLists } from './name-lists.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { describeDamaged, describeUnreadable, keysOfBestsGoing, pruneDocument, renderPlan } from './prune.js'
import { nameOfRun } from './runs.js'
import { renderTable, type Column } from './table.js'
import { formatSize, plural, pluralIs } from './units.js'

/** Runs that a summary lists. */
const mostListed = 20

export interface ManyView {
  /** Absolute: where the search began. */
  readonly root: string
  readonly output: Output
  /** Lists every run, and below that each run's own plan. */
  readonly all: boolean
  /** Unix seconds. */
  readonly now: number
  /** What else is shown of each run, behind its name. */
  readonly beside?: readonly Column<PlannedRun>[]
}

interface Sums {
  readonly stay: number
  readonly stayBytes: number
  readonly go: number
  readonly goBytes: number
}

function sumsOf({ plan }: Pick<PlannedRun, 'plan'>): Sums {
  return {
    stay: plan.keep.length,
    stayBytes: plan.keptBytes,
    go: plan.remove.length,
    goBytes: plan.freedBytes,
  }
}

function totalOf(planned: readonly PlannedRun[]): Sums {
  const sums = planned.map(sumsOf).reduce(
    (a, b) => ({
      stay: a.stay + b.stay,
      stayBytes: a.stayBytes + b.stayBytes,
      go: a.go + b.go,
      goBytes: a.goBytes + b.goBytes,
    }),
    { stay: 0, stayBytes: 0, go: 0, goBytes: 0 },
  )
  const together = freedTogether(planned.map(({ plan }) => plan.shared ?? []))
  return { ...sums, goBytes: sums.goBytes + together }
}

/** The runs that lose most first, then those left alone with the reason, then the sum. */
export async function renderManyPlans({ planned, leftAlone }: ManyPlans, view: ManyView): Promise<string[]> {
  const { output, all, beside = [] } = view
  const paint = painter(output.colours)
  const losing = planned.filter(({ plan }) => plan.remove.length > 0)
  const sorted = losing.toSorted((a, b) => b.plan.freedBytes - a.plan.freedBytes)
  const shown = all || !output.isTerminal ? sorted : sorted.slice(0, mostListed)
  const columns: Column<PlannedRun>[] = [
    { title: 'RUN', shortens: true, cell: ({ run }) => nameOf(run.path, view) },
    ...beside,
    { title: 'STAY', align: 'right', cell: (one) => String(sumsOf(one).stay) },
    { title: 'SIZE', align: 'right', leaves: 1, cell: (one) => formatSize(sumsOf(one).stayBytes) },
    { title: 'GO', align: 'right', cell: (one) => String(sumsOf(one).go), paint: (_, text) => paint('bad', text) },
    { title: 'FREES', align: 'right', cell: (one) => formatSize(sumsOf(one).goBytes) },
    ...bestColumn(shown, view.now, paint),
  ]
  const table =
    shown.length === 0
      ? []
      : await renderTable(columns, shown, { isTerminal: output.isTerminal, width: output.width, paint })
  const more = sorted.length - shown.length
  return [
    ...table,
    ...(more > 0 ? [paint('faint', `… and ${plural(more, 'more run')}: --all shows them`)] : []),
    ...(all ? sorted.flatMap(({ run, plan }) => ['', ...renderPlan(run, plan, view)]).concat('') : []),
    ...linesOfLeftAlone(leftAlone, view).map((line) => paint('warning', line)),
    paint('title', describeSum(planned, leftAlone.length)),
  ]
}

/** The metrics by which what goes is the best of its run; no column where none is. */
function bestColumn(shown: readonly PlannedRun[], now: number, paint: Paint): Column<PlannedRun>[] {
  const keys = new Map(shown.map((one) => [one, keysOfBestsGoing(one.plan, now)]))
  if ([...keys.values()].every((some) => some.length === 0)) return []
  return [
    {
      title: 'BEST THAT GOES',
      cuts: true,
      least: 'BEST THAT GOES'.length,
      cell: (one) => keys.get(one)?.join(', ') ?? '',
      abridges: (rows, width) =>
        abridgeLists(
          rows.map((one) => [{ lead: '', names: keys.get(one) ?? [], counted: (count) => plural(count, 'metric') }]),
          { separator: ', ', width },
        ),
      paint: (_, text) => paint('warning', text),
    },
  ]
}

/** For people, what is odd about a run's plan: a metric that it does not have, what could not be read or is damaged. */
export function describeWarnings(planned: readonly PlannedRun[], view: ManyView): string[] {
  return planned.flatMap(({ run, plan }) =>
    [...plan.warnings, ...describeUnreadable(plan), ...describeDamaged(plan)].map(
      (text) => `${nameOf(run.path, view)}: ${text}`,
    ),
  )
}

function linesOfLeftAlone(leftAlone: ManyPlans['leftAlone'], view: ManyView): string[] {
  const shown = view.all || !view.output.isTerminal ? leftAlone : leftAlone.slice(0, mostListed)
  const more = leftAlone.length - shown.length
  return [
    ...shown.flatMap((one) => hangLeftAlone(one, view)),
    ...(more > 0 ? [`… and ${plural(more, 'more run')} left alone: --all shows them`] : []),
  ]
}

export function describeLeftAlone({ run, reason }: LeftAlone, view: ManyView): string {
  return `${leftAloneMark}${nameOf(run, view)}: ${printable(reason)}`
}

const leftAloneMark = 'left alone: '

/** The same, folded under the name of the run. */
function hangLeftAlone(one: LeftAlone, view: ManyView): string[] {
  const text = describeLeftAlone(one, view).slice(leftAloneMark.length)
  return hang({ text: leftAloneMark, width: leftAloneMark.length }, text, view.output.width)
}

function nameOf(path: string, { root, output: { isTerminal } }: ManyView): string {
  return printable(nameOfRun(path, { root, isTerminal }))
}

function describeSum(planned: readonly PlannedRun[], leftAlone: number): string {
  if (planned.length === 0) {
    return leftAlone === 0 ? 'nothing to do' : `nothing to do: ${pluralIs(leftAlone, 'run')} left alone`
  }
  const { stay, stayBytes, go, goBytes } = totalOf(planned)
  const losing = planned.filter(({ plan }) => plan.remove.length > 0).length
  return (
    `${plural(planned.length, 'run')}: ${plural(stay, 'checkpoint')} (${formatSize(stayBytes)}) ${stay === 1 ? 'stays' : 'stay'}; ` +
    (go === 0
      ? 'nothing to remove'
      : `${go} (${formatSize(goBytes)}) of ${plural(losing, 'run')} ${go === 1 ? 'goes' : 'go'}`)
  )
}

export function renderManyQuestion(planned: readonly PlannedRun[], trash: boolean, now: number): string {
  const { go, goBytes } = totalOf(planned)
  const bests = describeBestsGoing(planned, now)
  const losing = planned.filter(({ plan }) => plan.remove.length > 0).length
  const what = `${plural(go, 'checkpoint')} of ${plural(losing, 'run')} (${formatSize(goBytes)})`
  return bests + (trash ? `Move ${what} to the trash?` : `Remove ${what}?`)
}

function describeBestsGoing(planned: readonly PlannedRun[], now: number): string {
  const keys = planned.map(({ plan }) => keysOfBestsGoing(plan, now)).filter((some) => some.length > 0)
  if (keys.length === 0) return ''
  const all = [...new Set(keys.flat())]
  return `The best by ${all.join(', ')} of ${plural(keys.length, 'run')} ${all.length === 1 ? 'is' : 'are'} among them. `
}

export function renderManyDone(done: readonly DoneRun[], trash: boolean, { colours }: Output): string[] {
  if (done.length === 0) return []
  const removed = done.reduce((sum, { removal }) => sum + removal.removed.length, 0)
  const freed = done.reduce((sum, { removal }) => sum + removal.freedBytes, 0)
  if (removed === 0) return [trash ? 'nothing was moved' : 'nothing was removed']
  const changed = done.filter(({ removal }) => removal.removed.length > 0)
  const what = `${plural(removed, 'checkpoint')} of ${plural(changed.length, 'run')}`
  const text = trash
    ? `moved ${what} to the trash; ckpt trash empty frees the space`
    : `removed ${what}, ${formatSize(freed)} freed`
  return [painter(colours)('good', text)]
}

/** As `--json` gives it (docs/json.md); `done` is null where nothing was to be done. */
export function manyDocument(
  { planned, leftAlone }: ManyPlans,
  done: readonly DoneRun[] | null,
): Record<string, unknown> {
  const removals = new Map(done?.map(({ run, removal }) => [run.path, removal]))
  const runs = planned.map(({ run, plan }) => pruneDocument(run, plan, removals.get(run.path) ?? null))
  const freed = done?.reduce((sum, { removal }) => sum + removal.freedBytes, 0)
  return { runs, leftAlone, freedBytes: freed ?? totalOf(planned).goBytes, applied: done !== null }
}
