/** A prune's plan as a list on a screen. */
import { timeOf, type Checkpoint } from '../core/checkpoint.js'
import { painter } from './colours.js'
import { flowing } from './flowing.js'
import { printable } from './printable.js'
import { renderCheckpoint } from './show.js'
import type { Output } from './output.js'
import { renderLines, type Column } from './table.js'
import { displayWidth } from './text-width.js'
import { formatAge, formatSize, plural, sizeOrDash } from './units.js'

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
  /** Columns and rows of the screen. */
  readonly width: number
  readonly height: number
}

/** Lines that are not rows of the list, where each is one. */
const around = 5

/** Rows that a page has about. */
export function pageOf(height: number): number {
  return Math.max(1, height - around)
}

/** Before each row, where the cursor is. */
const margin = 2

const keys = ['up, down: move', 'space: keep or remove', 's: look at it', 'Enter: done', 'q: cancel']

/** Together where they fit, else word by word. */
function keyLines(width: number): string[] {
  const fit = keys.every((key) => displayWidth(key) <= width - margin)
  return fit
    ? flowing(
        keys.map((text) => ({ text })),
        width,
        '   ',
      )
    : inWords(keys.join(', '), width)
}

function inWords(text: string, width: number): string[] {
  return flowing(
    text.split(' ').map((word) => ({ text: word })),
    width,
    ' ',
  )
}

export function renderPlanList(view: PlanListView): string[] {
  const { rows, cursor, isShowing, now, output, width } = view
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
  const columns = columnsOf(now)
  const [, ...texts] = renderLines(columns, rows, { width: width - margin, paint: painter(false) })
  const why = printable(current?.why ?? '')
  // A reason that does not fit into its column is shown below, for the row of the cursor.
  const message = view.message !== '' || texts[cursor]?.endsWith(why) === true ? printable(view.message) : why
  const above = inWords(`${printable(view.run)}: ${sum}`, width).map((line) => paint('title', line))
  const below = [
    ...inWords(message, width).map((line) => paint('warning', line)),
    ...keyLines(width).map((line) => paint('faint', line)),
  ]
  const page = Math.max(1, view.height - above.length - below.length - 2)
  const first = Math.max(0, Math.min(cursor - Math.floor(page / 2), rows.length - page))
  const lines = rows.slice(first, first + page).map((row, index) => {
    const isCurrent = first + index === cursor
    const text = texts[first + index] ?? ''
    const painted = row.goes ? paint('bad', text) : row.locked === null ? text : paint('faint', text)
    return `${isCurrent ? paint('title', '> ') : '  '}${isCurrent ? paint('title', painted) : painted}`
  })
  return [...above, '', ...lines, '', ...below]
}

/** What becomes of it and its name stay, however narrow the screen. */
function columnsOf(now: number): Column<ListedRow>[] {
  const ageOf = ({ checkpoint }: ListedRow) => {
    const time = timeOf(checkpoint)
    return time === null ? '-' : formatAge(now - time)
  }
  // What has a title in a table has none here, where each row says it.
  return [
    { title: '', cell: ({ goes, locked }) => (goes ? 'remove' : locked === null ? 'keep' : 'keep !') },
    { title: '', shortens: true, least: 28, cell: ({ checkpoint }) => printable(checkpoint.name) },
    { title: '', align: 'right', leaves: 0.5, cell: ageOf },
    { title: '', align: 'right', leaves: 0.6, cell: ({ checkpoint }) => sizeOrDash(checkpoint.size) },
    { title: '', cuts: true, least: 24, leaves: 0.4, cell: ({ why }) => printable(why) },
  ]
}
