/** What a conversion did, as people see it and for --json. */
import type { Conversion } from '../core/tensors/convert/index.js'
import type { WrittenOutput } from '../core/tensors/write/index.js'
import type { Output } from './output.js'
import { painter } from './colours.js'
import { printable } from './printable.js'
import { renderLeftOut, renderWritten } from './transfer.js'
import { plural } from './units.js'

/** Names listed of each kind; --json lists all. */
const mostNames = 10

export function renderConversion(conversion: Conversion, written: WrittenOutput | null, { colours }: Output): string[] {
  const paint = painter(colours)
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [paint('title', title), ...some(lines).map((line) => `  ${line}`)]
  const { tensors, tied, leftOut, dropped, part, cast, format } = conversion
  return [
    `${paint('good', 'converted')}: ${plural(tensors.length, 'tensor')} to ${format}`,
    ...section(
      `tied: ${tied.length} with the values of another`,
      tied.map(({ name, kept }) => `${printable(name)} is ${printable(kept)}`),
    ),
    ...section(
      `cast: ${cast.length}`,
      cast.map(({ name, from, to }) => `${printable(name)}  ${from} to ${to}`),
    ),
    ...renderLeftOut(
      part === '' ? 'left out' : `beside ${printable(part)}, left out`,
      dropped.length > 0 || leftOut.length === 0 ? dropped : [{ path: 'other tensors', tensors: leftOut.length }],
    ),
    written === null ? 'nothing was written' : renderWritten(written),
  ]
}

/** What an adapter changes. */
export function renderMerge(adapter: string, merged: number, replaced: number): string {
  const inFull = replaced === 0 ? '' : `, ${plural(replaced, 'tensor')} replaced that it has in full`
  return `merged: ${plural(merged, 'tensor')} changed by ${printable(adapter)}${inFull}`
}

function some(lines: readonly string[]): readonly string[] {
  return lines.length > mostNames ? [...lines.slice(0, mostNames), `… and ${lines.length - mostNames} more`] : lines
}

export function conversionDocument(
  { file, format, part, tensors, tied, cast, leftOut, dropped, notes }: Conversion,
  written: WrittenOutput | null,
) {
  return {
    source: file.path,
    format,
    tensors: tensors.map(({ name }) => name),
    part,
    tied,
    cast,
    losses: written?.losses ?? [],
    leftOut,
    dropped,
    notes,
    output: written?.path ?? null,
    files: written?.files ?? [],
    removed: written?.removed ?? [],
    bytes: written?.bytes ?? 0,
  }
}
