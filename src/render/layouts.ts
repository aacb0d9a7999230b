/** Layouts, and what a file or folder is taken for. */
import type { Explanation } from '../core/checkpoints/layouts/explain.js'
import type { ListedLayout } from '../core/checkpoints/layouts/list-layouts.js'
import { aligned } from './aligned.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'

export function renderLayouts(layouts: readonly ListedLayout[], output: Output): string[] {
  const paint = painter(output.colours)
  return aligned(
    layouts.map(({ id, title, looks, isOwn }) => [
      paint('title', printable(id)),
      printable(title) + (isOwn ? ' (your own)' : ''),
      printable(looks),
    ]),
  )
}

export function layoutsDocument(layouts: readonly ListedLayout[]) {
  return { layouts: layouts.map(({ id, title, looks, isOwn }) => ({ id, title, looks, own: isOwn })) }
}

export function renderExplanation(
  { path, checkpoint, layouts }: Explanation,
  { output, all }: { readonly output: Output; readonly all: boolean },
): string[] {
  const paint = painter(output.colours)
  const shown = layouts.filter(({ verdict }) => all || verdict !== 'no')
  const found =
    checkpoint === null
      ? 'no checkpoint'
      : `the checkpoint ${printable(checkpoint.name)} of ${printable(checkpoint.run)}`
  const passed = layouts.length - shown.length
  return [
    `${paint('title', printable(path))}: ${found}`,
    ...shown.flatMap(({ layout, title, verdict, reasons }) => [
      `  ${paint(verdict === 'takes' ? 'good' : 'title', printable(layout))}  ${printable(title)}: ${verdict === 'takes' ? 'takes it' : 'does not'}`,
      ...reasons.map((reason) => `    ${printable(reason)}`),
    ]),
    ...(passed === 0 ? [] : [`  ${passed} more do not: their names are others (--all)`]),
  ]
}

export function explanationDocument({ path, checkpoint, layouts }: Explanation) {
  return {
    path,
    checkpoint: checkpoint === null ? null : { name: checkpoint.name, layout: checkpoint.layout },
    layouts: layouts.map(({ layout, title, verdict, reasons }) => ({ id: layout, title, verdict, reasons })),
  }
}
