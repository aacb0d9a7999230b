/** What an export put into its folder, as people see it and for --json. */
import { basename } from 'node:path'
import type { Checkpoint } from '../core/checkpoint.js'
import type { OpenExport, WrittenExport } from '../core/runs/export/index.js'
import type { Output } from './output.js'
import { painter } from './colours.js'
import { printable } from './printable.js'
import { formatSize, plural } from './units.js'

/** Names listed of each kind; --json lists all. */
const mostNames = 20

export function renderExport(
  { name }: Checkpoint,
  { plan, texts, conversions }: OpenExport,
  into: string,
  written: WrittenExport | null,
  { colours }: Output,
): string[] {
  const paint = painter(colours)
  const lines =
    written?.files.map(({ path, how, bytes }) => `${printable(path)}  ${formatSize(bytes)}, ${how}`) ??
    plan.items.map(({ to, kind }) => `${printable(to)}  ${texts.has(to) ? 'written' : kind}`)
  const inFiles = [...conversions.values()].flatMap(({ file, dropped }) =>
    dropped.map(({ path }) => `${path} of ${basename(file.path)}`),
  )
  const leftOut = [...plan.leftOut, ...inFiles]
  return [
    `${paint('good', 'exported')}: ${printable(name)}`,
    ...some(lines),
    ...(leftOut.length === 0 ? [] : [paint('title', 'left out'), ...some(leftOut.map((one) => printable(one)))]),
    ...(written === null || written.removed.length === 0
      ? []
      : [paint('title', 'removed'), ...some(written.removed.map((one) => printable(one)))]),
    written === null
      ? 'nothing was written'
      : `written: ${printable(into)} (${plural(written.files.length, 'file')}, ${formatSize(written.bytes)})`,
  ]
}

function some(lines: readonly string[]): string[] {
  const shown = lines.slice(0, mostNames).map((line) => `  ${line}`)
  return lines.length > mostNames ? [...shown, `  … and ${lines.length - mostNames} more`] : shown
}

export function exportDocument(
  checkpoint: Checkpoint,
  { plan, conversions, texts }: OpenExport,
  into: string,
  written: WrittenExport | null,
) {
  const all = [...conversions.values()]
  return {
    run: checkpoint.run,
    checkpoint: checkpoint.path,
    into: written === null ? null : into,
    files:
      written?.files ??
      plan.items.map((item) => ({
        path: item.to,
        from: item.from,
        how: texts.has(item.to) ? 'written' : item.kind,
        bytes: item.kind === 'copied' ? item.bytes : null,
      })),
    leftOut: plan.leftOut,
    dropped: all.flatMap(({ file, dropped }) => dropped.map((one) => ({ file: file.path, ...one }))),
    cast: all.flatMap(({ cast }) => cast),
    losses: written?.outputs.flatMap(({ losses = [] }) => losses) ?? [],
    tied: all.flatMap(({ tied }) => tied),
    warnings: plan.warnings,
    removed: written?.removed ?? [],
    bytes: written?.bytes ?? 0,
  }
}
