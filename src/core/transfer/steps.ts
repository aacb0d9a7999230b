/** What an output is made of, in the order of its bytes. */
import { bitsOf, isDtype, type Dtype } from '../formats/safetensors.js'
import { firstOf, isExtent, type Extent, type TensorData } from '../tensors/tensor.js'
import type { Pair, TransferPlan } from './match.js'

/** Bytes that go over as they are. */
export interface CopyStep {
  readonly kind: 'copy'
  readonly extent: Extent
}

/** Bytes that are put together on the way, or made anew. */
export interface StreamStep {
  readonly kind: 'stream'
  readonly data: TensorData
}

export interface CastStep {
  readonly kind: 'cast'
  readonly data: TensorData
  readonly from: Dtype
  readonly to: Dtype
}

export type Step = CopyStep | StreamStep | CastStep

/** The target's file from its first byte to its last, with the source's values where they match. */
export async function planSteps(plan: TransferPlan): Promise<Step[]> {
  const matched = new Map(plan.matched.map((pair) => [pair.target.name, pair]))
  const steps: Step[] = [headStep(plan.target.head())]
  for (const tensor of plan.target.tensors) {
    if (tensor.bytes === 0) continue
    const pair = matched.get(tensor.name)
    append(steps, pair === undefined ? copyOf(await plan.target.dataOf(tensor)) : await stepFor(plan, pair))
  }
  return steps
}

function headStep(head: Extent | Uint8Array): Step {
  if (!(head instanceof Uint8Array)) return { kind: 'copy', extent: head }
  return {
    kind: 'stream',
    data: {
      length: head.length,
      read: async function* () {
        yield head
      },
    },
  }
}

function copyOf(data: TensorData): Step {
  return isExtent(data) ? { kind: 'copy', extent: data } : { kind: 'stream', data }
}

async function stepFor({ source: file }: TransferPlan, { source, target }: Pair): Promise<Step> {
  const whole = await file.dataOf(source)
  const { dtype: from } = source
  const { dtype: to } = target
  if (from === to) return copyOf(firstOf(whole, target.bytes))
  if (!isDtype(from) || !isDtype(to)) throw new RangeError(`no cast from ${from} to ${to}`)
  // As many elements as the target has: of a vector that goes into a scalar, the first.
  const elements = (target.bytes * 8) / bitsOf[to]
  return { kind: 'cast', data: firstOf(whole, (elements * bitsOf[from]) / 8), from, to }
}

/** Adds a step; a copy that begins where the last one ends becomes one with it. */
function append(steps: Step[], step: Step): void {
  const last = steps.at(-1)
  if (step.kind === 'copy' && last?.kind === 'copy' && follows(step.extent, last.extent)) {
    steps[steps.length - 1] = {
      kind: 'copy',
      extent: { ...last.extent, length: last.extent.length + step.extent.length },
    }
  } else {
    steps.push(step)
  }
}

function follows(next: Extent, before: Extent): boolean {
  return next.handle === before.handle && next.position === before.position + before.length
}
