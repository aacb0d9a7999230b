/** What lies in a trash. */
import type { TrashEntry } from '../core/changes/state/index.js'
import { printable } from './printable.js'
import { formatAge, formatSize } from './units.js'
import { displayWidth } from './text-width.js'

/** One line each: name, how long it has been there, the bytes that removing it frees, and why it went. */
export function renderTrash(entries: readonly TrashEntry[], now: number): string[] {
  const width = Math.max(0, ...entries.map(({ name }) => displayWidth(printable(name))))
  return entries.map(({ name, time, size, reason }) => {
    const shown = printable(name)
    const space = ' '.repeat(width - displayWidth(shown))
    return `${shown}${space}  ${formatAge(now - time).padStart(5)}  ${formatSize(size).padStart(8)}  ${printable(reason)}`
  })
}

/** As `--json` gives it (docs/json.md). */
export function trashDocument({ id, name, path, time, reason, size }: TrashEntry) {
  return { id, name, path, time, reason, size }
}
