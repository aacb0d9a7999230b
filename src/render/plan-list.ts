/** A prune's plan as a list on a screen. */
import { timeOf, type Checkpoint } from '../core/checkpoint.js'
import { painter } from './colours.js'
import { printable } from './printable.js'
import { renderCheckpoint } from './show.js'
import type { Output } from './output.js'
import { formatAge, formatSize, plural, sizeOrDash } from './units.js'
import { displayWidth } from './text-width.js'

export interface ListedRow {
  readonly checkpoint: Checkpoint
  readonly goes: boolean
  readonly why: string
  readonly locked: string | null
}

export interface PlanListView {
  readonly run: string
  readonly rows: readonly ListedRow[]
  readonly cursor: number
  readonly isShowing: boolean
  readonly message: string
  /** Unix seconds. */
  readonly now: number
  readonly output: Output
  /** Rows of the screen. */
  readonly height: number
}

/** Lines that are not rows of the list. */
const around = 5

export function pageOf(height: number): number {
  return Math.max(1, height - around)
}

export function renderPlanList(view: PlanListView): string[] {
  const { rows, cursor, isShowing, now, output } = view
  const paint = painter(output.colours)
  const current = rows[cursor]
  if (isShowing && current !== undefined) {
    const shown = renderCheckpoint(current.checkpoint, new Map(), { named: [], knownBy: [], now, output })
    const room = Math.max(1, view.height - 2)
    const left = shown.length - room
    const more = left > 0 ? `${plural(left, 'line')} more: ckpt show; ` : ''
    return [...shown.slice(0, room), '', paint('faint', `${more}any key: back to the list`)]
  }
  const going = rows.filter(({ goes }) => goes)
  const bytes = going.reduce((sum, { checkpoint }) => sum + (checkpoint.size ?? 0), 0)
  const sum = `${plural(going.length, 'checkpoint')} of ${rows.length} to remove, ${formatSize(bytes)}`
  const page = pageOf(view.height)
  const first = Math.max(0, Math.min(cursor - Math.floor(page / 2), rows.length - page))
  const width = Math.max(0, ...rows.map(({ checkpoint }) => displayWidth(printable(checkpoint.name))))
  const lines = rows.slice(first, first + page).map((row, index) => {
    const isCurrent = first + index === cursor
    const text = lineOf(row, width, view)
    const painted = row.goes ? paint('bad', text) : row.locked === null ? text : paint('faint', text)
    return `${isCurrent ? paint('title', '> ') : '  '}${isCurrent ? paint('title', painted) : painted}`
  })
  return [
    `${paint('title', printable(view.run))}: ${sum}`,
    '',
    ...lines,
    '',
    paint('warning', printable(view.message)),
    paint('faint', 'up, down: move   space: keep or remove   s: look at it   Enter: done   q: cancel'),
  ]
}

function lineOf({ checkpoint, goes, why, locked }: ListedRow, width: number, { now }: PlanListView): string {
  const name = printable(checkpoint.name)
  const space = ' '.repeat(Math.max(0, width - displayWidth(name)))
  const time = timeOf(checkpoint)
  const age = (time === null ? '-' : formatAge(now - time)).padStart(5)
  const size = sizeOrDash(checkpoint.size).padStart(8)
  const what = goes ? 'remove' : locked === null ? 'keep  ' : 'keep !'
  return `${what}  ${name}${space}  ${age}  ${size}  ${printable(why)}`
}
