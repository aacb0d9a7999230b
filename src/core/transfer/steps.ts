/** What an output is made of, in the order of its bytes. */
import { bitsOf } from '../formats/safetensors.js'
import type { Dtype, Extent } from '../tensors/tensor.js'
import type { Pair, TransferPlan } from './match.js'

export interface CopyStep {
  readonly kind: 'copy'
  readonly extent: Extent
}

export interface CastStep {
  readonly kind: 'cast'
  readonly extent: Extent
  readonly from: Dtype
  readonly to: Dtype
}

export type Step = CopyStep | CastStep

/** The target's file from its first byte to its last, with the source's values where they match. */
export function planSteps(plan: TransferPlan): Step[] {
  const matched = new Map(plan.matched.map((pair) => [pair.target.name, pair]))
  const steps: Step[] = [{ kind: 'copy', extent: plan.target.head }]
  for (const tensor of plan.target.tensors) {
    if (tensor.bytes === 0) continue
    const pair = matched.get(tensor.name)
    append(steps, pair === undefined ? { kind: 'copy', extent: plan.target.extentOf(tensor) } : stepFor(plan, pair))
  }
  return steps
}

function stepFor({ source: file }: TransferPlan, { source, target }: Pair): Step {
  const whole = file.extentOf(source)
  if (source.dtype === target.dtype) return { kind: 'copy', extent: { ...whole, length: target.bytes } }
  // As many elements as the target has: of a vector that goes into a scalar, the first.
  const elements = (target.bytes * 8) / bitsOf[target.dtype]
  return {
    kind: 'cast',
    extent: { ...whole, length: (elements * bitsOf[source.dtype]) / 8 },
    from: source.dtype,
    to: target.dtype,
  }
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
