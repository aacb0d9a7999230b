/** Carries out the plan of a transfer. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import {
  formatFor,
  keepsSurroundings,
  metadataLike,
  writeAsIs,
  writeCast,
  structureOf,
  writeOutput,
  type OutputFormat,
  type OutputTensor,
  type Sink,
  type WriteOptions,
  type WrittenOutput,
} from '../write/index.js'
import type { Storage } from '../../storage/storage.js'
import { noLosses } from '../read/cast-losses.js'
import { canCast } from '../read/cast.js'
import { firstOf, isOfTorch, type TensorInfo } from '../read/tensor.js'
import { ensureTransferable } from './match.js'
import type { TransferPlan } from './match.js'
import type { Pair } from './pair-tensors.js'
import { writeResized } from './resize.js'
import { dtypesWanted } from './wanted-dtype.js'

/** How a transfer is written. */
export interface TransferOptions extends Pick<
  WriteOptions,
  'force' | 'onOutdated' | 'onProgress' | 'signal' | 'strictCast'
> {
  /** What the output's name or the target says when it is left out: see `formatFor`. */
  readonly format?: OutputFormat | undefined
  /** Bytes of tensors in each of several files; one file when left out. */
  readonly shardSize?: number | undefined
  /** Of all floating-point tensors of the output; the target's own when left out. */
  readonly dtype?: Dtype | undefined
  /** A file of torch holds one state_dict, and not what the target has around its weights. */
  readonly weightsOnly?: boolean
  /** Put into the metadata beside the target's own. */
  readonly origin?: ReadonlyMap<string, string>
}

/**
 * Writes the target with the source's matched values to `output`, an absolute path: names, order, dtypes and metadata
 * are the target's, and so is the header to the byte where nothing else is asked for. Memory does not grow with the
 * files. The files of the plan must be open, and stay open; `output` may be one of them with `force`.
 *
 * Throws CkptError `refused` (see `ensureTransferable`; a dtype that the format does not have or that there is no cast
 * to; something is at `output` and `force` is not given), `damaged` (a file changed while it was read), `interrupted`,
 * and StorageError. After an error nothing is at `output` that was not there before.
 */
export async function transfer(
  storage: Storage,
  plan: TransferPlan,
  output: string,
  options: TransferOptions = {},
): Promise<WrittenOutput> {
  ensureTransferable(plan)
  const { source, target } = plan
  const { origin, dtype, shardSize, format = formatFor(output, target), weightsOnly = false, ...work } = options
  const keepsStructure =
    format === 'torch' && shardSize === undefined && !weightsOnly && keepsSurroundings(output, target)
  const matched = new Map(plan.matched.map((pair) => [pair.target.name, pair]))
  const wantedFor = dtypesWanted(target, dtype)
  const tensors = target.tensors.map((tensor) => {
    const own = outputTensor(plan, tensor, matched.get(tensor.name), wantedFor(tensor))
    const tiedTo = plan.ties.get(tensor.name)
    return tiedTo === undefined ? own : { ...own, tiedTo }
  })
  const keepsHead = format === 'safetensors' && !isOfTorch(target) && dtype === undefined && origin === undefined
  return writeOutput(
    storage,
    {
      path: output,
      format,
      tensors,
      metadata: new Map([...metadataLike(target), ...(origin ?? [])]),
      head: keepsHead ? target.head() : undefined,
      structure: keepsStructure ? await structureOf(target) : undefined,
      shardSize,
    },
    {
      ...work,
      verify: async () => {
        await source.ensureUnchanged()
        await target.ensureUnchanged()
      },
    },
  )
}

/** A tensor of the output: the pair's source where there is one, else the target's own. Throws CkptError `refused`. */
export function outputTensor(
  { source: sourceFile, target: targetFile }: TransferPlan,
  target: TensorInfo,
  pair: Pair | undefined,
  wanted: Dtype | undefined,
): OutputTensor {
  const from = dtypeOf(pair?.source ?? target)
  const own = dtypeOf(target)
  const dtype = wanted ?? own
  for (const one of [from, own]) if (!canCast(one, dtype)) throw noCast(target.name, one, dtype)
  const elements = (target.bytes * 8) / bitsOf[own]
  const bytes = (elements * bitsOf[dtype]) / 8
  const losses = noLosses()
  const writeTo = async (sink: Sink): Promise<void> => {
    const data = await (pair === undefined ? targetFile.dataOf(target) : sourceFile.dataOf(pair.source))
    if (pair?.resize !== undefined) {
      const side = { data: await targetFile.dataOf(target), dtype: own }
      await writeResized({ data, dtype: from }, side, pair.resize, target.shape, dtype, sink, losses)
      return
    }
    // As many elements as the target has: of a vector that goes into a scalar, the first.
    const part = firstOf(data, (elements * bitsOf[from]) / 8)
    await (from === dtype ? writeAsIs(part, sink) : writeCast(part, from, dtype, sink, losses))
  }
  const tensor = { name: target.name, dtype, shape: target.shape, bytes, writeTo }
  return from === dtype && own === dtype ? tensor : { ...tensor, cast: { from, losses } }
}

function dtypeOf({ name, dtype }: TensorInfo): Dtype {
  if (isDtype(dtype)) return dtype
  throw new CkptError('refused', `${JSON.stringify(name)} is ${dtype}, which cannot be written here`, {
    hint: 'only dtypes that safetensors has can',
  })
}

function noCast(name: string, from: Dtype, to: Dtype): CkptError {
  return new CkptError('refused', `${JSON.stringify(name)}: no cast from ${from} to ${to}`)
}
