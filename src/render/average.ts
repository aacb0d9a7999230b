/** What was averaged, as people see it and for --json. */
import type { AveragePlan } from '../core/tensors/average/index.js'
import type { TensorLosses } from '../core/tensors/read/cast-losses.js'
import type { WrittenOutput } from '../core/tensors/write/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { renderSurroundings, renderWritten } from './transfer.js'
import { plural } from './units.js'

/** At most one of them is there. */
export interface AverageResult {
  readonly written: WrittenOutput | null
  /** Absolute; `isSaved` is false where it was only tried. */
  readonly checkpoint: {
    readonly path: string
    readonly isSaved: boolean
    readonly losses: readonly TensorLosses[]
  } | null
}

export function renderAverage(plan: AveragePlan, result: AverageResult, { colours }: Output): string[] {
  const { files, averaged, taken, newest, weights, recast, leftOut } = plan
  const weight = (index: number) => (weights === undefined ? '' : `  ${weights[index] ?? 1}`)
  return [
    `${painter(colours)('good', 'averaged')}: ${plural(averaged.length, 'tensor')} of ${plural(files.length, 'file')}`,
    ...files.map(({ path }, index) => `  ${printable(path)}${weight(index)}`),
    ...(taken.length === 0
      ? []
      : [`${plural(taken.length, 'integer or boolean tensor')} taken from the newest: ${printable(newest.path)}`]),
    ...(recast.length === 0
      ? []
      : [
          `${plural(recast.length, 'tensor')} of several dtypes, written with the first file's: ${printable(recast[0]?.name ?? '')} as ${recast[0]?.dtype ?? ''}`,
        ]),
    ...renderSurroundings('newest', leftOut, result.written),
    outcome(result),
  ]
}

function outcome({ written, checkpoint }: AverageResult): string {
  if (written !== null) return renderWritten(written)
  if (checkpoint === null) return 'nothing was written'
  return `${checkpoint.isSaved ? 'saved as' : 'would be saved as'} ${printable(checkpoint.path)}`
}

export function averageDocument(plan: AveragePlan, { written, checkpoint }: AverageResult) {
  const { files, averaged, taken, newest, weights, accumulate, leftOut } = plan
  return {
    sources: files.map(({ path }) => path),
    newest: newest.path,
    weights: weights ?? files.map(() => 1),
    accumulate,
    averaged: averaged.map(({ name }) => name),
    taken: taken.map(({ name }) => name),
    losses: written?.losses ?? checkpoint?.losses ?? [],
    surroundings: leftOut,
    keepsSurroundings: written?.keepsSurroundings ?? false,
    output: written?.path ?? null,
    files: written?.files ?? [],
    removed: written?.removed ?? [],
    bytes: written?.bytes ?? 0,
    checkpoint: checkpoint?.isSaved === true ? checkpoint.path : null,
  }
}
