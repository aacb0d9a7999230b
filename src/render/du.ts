/** What runs take up, one row each, the largest first. */
import { freedTogether, type SharedFile } from '../core/changes/disposal/index.js'
import { totalUse, type DiskUse, type UseKind } from '../core/runs/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { nameOfRun } from './runs.js'
import { renderTable, type Column } from './table.js'
import { formatSize, plural } from './units.js'

export interface UseOfRun {
  /** Absolute. */
  readonly run: string
  readonly checkpoints: number
  readonly use: DiskUse
  /** Bytes that the policy would free; null where none could be planned. */
  readonly freed: number | null
  /** Files of which other names stay in this run or elsewhere. */
  readonly shared: readonly SharedFile[]
}

const kinds: readonly UseKind[] = ['weights', 'resume', 'both', 'other']

export async function renderUse(
  rows: readonly UseOfRun[],
  { root, output, policy, more }: { root: string; output: Output; policy: string; more: number },
): Promise<string[]> {
  const paint = painter(output.colours)
  const { isTerminal } = output
  const size = (kind: UseKind): Column<UseOfRun> => ({
    title: kind.toUpperCase(),
    align: 'right',
    leaves: 1,
    cell: ({ use }) => formatSize(use.bytes[kind]),
  })
  const columns: Column<UseOfRun>[] = [
    { title: 'RUN', shortens: true, cell: ({ run }) => printable(nameOfRun(run, { root, isTerminal })) },
    { title: 'CHECKPOINTS', align: 'right', leaves: 2, cell: ({ checkpoints }) => String(checkpoints) },
    ...kinds.map(size),
    { title: 'SIZE', align: 'right', cell: (row) => formatSize(totalUse(row.use)) },
    { title: 'FREES', align: 'right', cell: ({ freed }) => (freed === null ? '-' : formatSize(freed)) },
  ]
  const table = await renderTable(columns, rows, { isTerminal, width: output.width, paint })
  if (!isTerminal) return [...table]
  const below = [
    ...(more > 0 ? [`… and ${plural(more, 'more run')}: --all shows them`] : []),
    `FREES is what ckpt prune -r ${policy} would free`,
  ]
  return [...table, ...below.map((line) => paint('faint', printable(line)))]
}

/** One line: what all of them come to. */
export function describeUses(rows: readonly UseOfRun[]): string {
  const bytes = rows.reduce((sum, row) => sum + totalUse(row.use), 0)
  const freed = freedByAll(rows)
  return `${plural(rows.length, 'run')}, ${formatSize(bytes)}; ${formatSize(freed)} of the disk can be freed`
}

/** A file whose names go in several runs is freed by none of them alone, and counts in the sum. */
function freedByAll(rows: readonly UseOfRun[]): number {
  const alone = rows.reduce((sum, row) => sum + (row.freed ?? 0), 0)
  return alone + freedTogether(rows.map(({ shared }) => shared))
}

/** As `--json` gives it (docs/json.md): the runs that are shown, and what all of them come to. */
export function useDocument(shown: readonly UseOfRun[], rows: readonly UseOfRun[]): Record<string, unknown> {
  return {
    runs: shown.map((row) => ({
      run: row.run,
      checkpoints: row.checkpoints,
      bytes: row.use.bytes,
      size: totalUse(row.use),
      freedBytes: row.freed,
      unread: row.use.unread,
    })),
    size: rows.reduce((sum, row) => sum + totalUse(row.use), 0),
    freedBytes: freedByAll(rows),
  }
}
