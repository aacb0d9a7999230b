/** What the casts of an output lost. */
import { CkptError } from '../../errors.js'
import { hasLosses, type CastLosses, type TensorLosses } from '../read/cast-losses.js'
import type { Dtype } from '../../formats/safetensors/safetensors.js'

/** A cast on the way to a tensor, and what it has lost so far. */
export interface OutputCast {
  readonly from: Dtype
  readonly losses: CastLosses
}

interface CastTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly cast?: OutputCast
}

/** Of the tensors that lost something. */
export function lossesOf(tensors: readonly CastTensor[]): TensorLosses[] {
  return tensors.flatMap(({ name, dtype, cast }) =>
    cast === undefined || !hasLosses(cast.losses) ? [] : [{ name, from: cast.from, to: dtype, ...cast.losses }],
  )
}

/** Examples in a message; the rest is counted. */
const mostListed = 5

/** Throws CkptError `refused` when something was lost. */
export function ensureNothingLost(losses: readonly TensorLosses[]): void {
  if (losses.length === 0) return
  const lines = losses.slice(0, mostListed).map((loss) => `  ${tellLoss(loss)}`)
  const more = losses.length > mostListed ? [`  and ${losses.length - mostListed} more tensors`] : []
  throw new CkptError(
    'refused',
    ['values do not fit into the dtype that they are cast to:', ...lines, ...more].join('\n'),
    {
      hint: 'without --strict-cast they are written as they come out',
    },
  )
}

/** `"w", F32 to F16: 2 became infinite`. */
export function tellLoss({ name, from, to, ...counts }: TensorLosses): string {
  return `${JSON.stringify(name.slice(0, 200))}, ${from} to ${to}: ${tellCounts(counts)}`
}

/** `2 became infinite, 1 NaN`. */
export function tellCounts({ infinite, nan, zero, wrapped }: Readonly<CastLosses>): string {
  const kinds = [
    [infinite, 'infinite'],
    [nan, 'NaN'],
    [zero, 'zero'],
    [wrapped, 'another number'],
  ] as const
  const found = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count} became ${kind}`)
  return found.join(', ')
}
