/** Layouts, and what a file or folder is taken for. */
import type { Explanation } from '../core/checkpoints/layouts/explain.js'
import { layoutsOf } from '../core/checkpoints/layouts/walk.js'
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
  explanation: Explanation,
  { output, all }: { readonly output: Output; readonly all: boolean },
): string[] {
  const { path, layouts } = explanation
  const paint = painter(output.colours)
  const shown = layouts.filter(({ verdict }) => all || verdict !== 'no')
  const passed = layouts.length - shown.length
  return [
    `${paint('title', printable(path))}: ${describe(explanation)}`,
    ...shown.flatMap(({ layout, title, verdict, reasons }) => [
      `  ${paint(verdict === 'takes' ? 'good' : 'title', printable(layout))}  ${printable(title)}: ${verdict === 'takes' ? 'takes it' : 'does not'}`,
      ...reasons.map((reason) => `    ${printable(reason)}`),
    ]),
    ...(passed === 0 ? [] : [`  ${passed} more do not: their names are others (--all)`]),
  ]
}

function describe({ path, checkpoint, inside }: Explanation): string {
  if (checkpoint !== null) {
    const part = checkpoint.path === path ? '' : 'a part of '
    return `${part}the checkpoint ${printable(checkpoint.name)} of ${printable(checkpoint.run)}`
  }
  if (inside.length === 0) return 'no checkpoint'
  const layouts = layoutsOf(inside).map(printable).join(', ')
  return `no checkpoint, but a run: ${inside.length} checkpoint${inside.length === 1 ? '' : 's'} in it (${layouts})`
}

export function explanationDocument({ path, checkpoint, inside, layouts }: Explanation) {
  return {
    path,
    checkpoint: checkpoint === null ? null : { name: checkpoint.name, layout: checkpoint.layout, run: checkpoint.run },
    inside: inside.map(({ name, layout }) => ({ name, layout })),
    layouts: layouts.map(({ layout, title, verdict, reasons }) => ({ id: layout, title, verdict, reasons })),
  }
}
