/**
 * Which way round the weights of a linear layer lie: [out, in] in torch's Linear, [in, out] in transformers' Conv1D, of
 * which GPT-2 is made. `fan_in_fan_out` of an adapter's config does not tell it: peft sets it by each module that it wraps
 * (peft/tuners/lora/layer.py, `dispatch_default`), and saves what it was at the last one.
 */
import type { TensorFile } from '../read/tensor.js'

export type Orientation = 'out-in' | 'in-out'

/**
 * Of square weights the form does not tell it: those near them do, by their form and their bias. `known` are modules
 * whose orientation their adapter's form tells. Undefined where nothing does.
 */
export function orientations(
  base: TensorFile,
  known: ReadonlyMap<string, Orientation>,
): (module: string) => Orientation | undefined {
  const shapes = new Map(base.tensors.map(({ name, shape }) => [name, shape.map(Number)]))
  const all = new Map([...known, ...byBias(shapes)])
  const paths = [...all].map(([module, orientation]) => ({ path: module.split('.'), orientation }))
  return (module) => {
    // A Conv1D always has a bias.
    if (!shapes.has(`${module}.bias`)) return 'out-in'
    const path = module.split('.')
    // In the same block: what lies farther away, as a head behind the model, may be of another kind.
    const least = Math.max(1, path.length - 3)
    const close = paths
      .map((one) => ({ ...one, depth: sharedDepth(one.path, path) }))
      .filter(({ depth }) => depth >= least)
    const namesakes = close.filter((one) => one.path.at(-1) === path.at(-1))
    return agreed(nearest(namesakes)) ?? agreed(nearest(close))
  }
}

interface Shared {
  readonly orientation: Orientation
  readonly depth: number
}

/** Those with the longest beginning in common. */
function nearest(found: readonly Shared[]): readonly Shared[] {
  const depth = found.reduce((most, one) => Math.max(most, one.depth), 0)
  return found.filter((one) => one.depth === depth)
}

function agreed(found: readonly Shared[]): Orientation | undefined {
  const [first] = found
  return first !== undefined && found.every(({ orientation }) => orientation === first.orientation)
    ? first.orientation
    : undefined
}

function sharedDepth(one: readonly string[], other: readonly string[]): number {
  const differs = one.findIndex((part, index) => part !== other[index])
  return differs === -1 ? one.length : differs
}

/** A bias has one number for each output. */
function byBias(shapes: ReadonlyMap<string, readonly number[]>): Map<string, Orientation> {
  const found = new Map<string, Orientation>()
  for (const [name, shape] of shapes) {
    if (!name.endsWith('.weight') || shape.length !== 2 || shape[0] === shape[1]) continue
    const module = name.slice(0, -'.weight'.length)
    const bias = shapes.get(`${module}.bias`)
    if (bias?.length !== 1) continue
    if (bias[0] === shape[0]) found.set(module, 'out-in')
    if (bias[0] === shape[1]) found.set(module, 'in-out')
  }
  return found
}
