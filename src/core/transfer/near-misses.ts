/** Tensors that are likely the same under two names. */
import type { TensorInfo } from '../tensors/tensor.js'

export interface NearMiss {
  readonly source: TensorInfo
  readonly target: TensorInfo
}

/** What wrappers put before names: DataParallel and DDP, Hugging Face and Lightning, torch.compile. */
const prefixes = ['module.', 'model.', '_orig_mod.', 'state_dict.']

/**
 * Pairs an unexpected with a missing tensor when their names are equal without the usual prefixes, or else when they
 * end alike and have one shape, and no other tensor does. In the order of the source.
 */
export function findNearMisses(unexpected: readonly TensorInfo[], missing: readonly TensorInfo[]): NearMiss[] {
  const bare = indexBy(missing, ({ name }) => dropPrefixes(name))
  const tails = indexBy(missing, tailAndShape)
  const sourceTails = indexBy(unexpected, tailAndShape)
  return unexpected.flatMap((source) => {
    const exact = bare.get(dropPrefixes(source.name))?.[0]
    if (exact !== undefined) return [{ source, target: exact }]
    const key = tailAndShape(source)
    const alike = tails.get(key) ?? []
    const target = alike[0]
    return target !== undefined && alike.length === 1 && sourceTails.get(key)?.length === 1 ? [{ source, target }] : []
  })
}

function dropPrefixes(name: string): string {
  let rest = name
  for (;;) {
    const prefix = prefixes.find((one) => rest.startsWith(one))
    if (prefix === undefined) return rest
    rest = rest.slice(prefix.length)
  }
}

/** The last two parts of the name, and the shape. */
function tailAndShape({ name, shape }: TensorInfo): string {
  return `${shape.join(',')} ${name.split('.').slice(-2).join('.')}`
}

function indexBy(tensors: readonly TensorInfo[], keyOf: (tensor: TensorInfo) => string): Map<string, TensorInfo[]> {
  const index = new Map<string, TensorInfo[]>()
  for (const tensor of tensors) {
    const key = keyOf(tensor)
    const list = index.get(key)
    if (list === undefined) index.set(key, [tensor])
    else list.push(tensor)
  }
  return index
}
