/** What was averaged, as people see it and for --json. */
import type { AveragePlan } from '../core/average/index.js'
import type { WrittenOutput } from '../core/output/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { told } from './transfer.js'
import { plural } from './units.js'

export function renderAverage(plan: AveragePlan, written: WrittenOutput | null, { colours }: Output): string[] {
  const { files, averaged, taken, newest, weights } = plan
  const weight = (index: number) => (weights === undefined ? '' : `  ${weights[index] ?? 1}`)
  return [
    `${painter(colours)('good', 'averaged')}: ${plural(averaged.length, 'tensor')} of ${plural(files.length, 'file')}`,
    ...files.map(({ path }, index) => `  ${printable(path)}${weight(index)}`),
    ...(taken.length === 0
      ? []
      : [`${plural(taken.length, 'integer or boolean tensor')} taken from the newest: ${printable(newest.path)}`]),
    written === null ? 'nothing was written' : told(written),
  ]
}

export function averageDocument(plan: AveragePlan, written: WrittenOutput | null) {
  const { files, averaged, taken, newest, weights, accumulate } = plan
  return {
    sources: files.map(({ path }) => path),
    newest: newest.path,
    weights: weights ?? files.map(() => 1),
    accumulate,
    averaged: averaged.map(({ name }) => name),
    taken: taken.map(({ name }) => name),
    output: written?.path ?? null,
    files: written?.files ?? [],
    bytes: written?.bytes ?? 0,
  }
}
