/** Where the weights lie among the entries of torch.distributed.checkpoint, by the keys that led to each. */
import type { DcpMetadata } from '../../formats/torch/dcp-metadata.js'
import type { PickleDict, PickleNode } from '../../formats/pickle/index.js'
import { findParts } from '../../formats/torch/parts.js'
import type { FileParts } from './file-parts.js'

/** Entries are known by their keys joined with dots, as torch's planner joins them. */
export function partsOfPaths({ tensors, objects, paths }: DcpMetadata): FileParts {
  const root = new Tree()
  for (const { name } of [...tensors, ...objects]) root.add(keysOf(name, paths.get(name)))
  const { parts, weights, keys } = findParts(
    root.node,
    tensors.map(({ name }) => name),
  )
  const bare = ({ path, role, tensors: count, except }: (typeof parts)[number]) => ({
    path,
    role,
    tensors: count,
    isModule: false,
    ...(except === undefined ? {} : { except }),
  })
  return { parts: parts.map(bare), weights: weights.map(bare), keys }
}

/** Megatron-Core gives the planner whole names, with what they belong to before the first dot. */
const besideModel = /^((?:chained_\d+\.)?optimizer|optim|opt_param_scheduler|rng_state|rerun_state_machine)[./](.+)$/s

function keysOf(name: string, path: readonly string[] | undefined): readonly string[] {
  const keys = path?.join('.') === name ? path : [name]
  const [, part, rest] = keys.length === 1 ? (besideModel.exec(name) ?? []) : []
  return part === undefined || rest === undefined || name[part.length] !== '.' ? keys : [part, rest]
}

/** Nested dicts; what lies in them is not looked at. */
class Tree {
  private readonly entries: [key: string, value: PickleNode][] = []
  private readonly below = new Map<string, Tree>()

  add([key = '', ...rest]: readonly string[]): void {
    if (rest.length === 0) {
      this.entries.push([key, null])
      return
    }
    let tree = this.below.get(key)
    if (tree === undefined) {
      tree = new Tree()
      this.below.set(key, tree)
      this.entries.push([key, tree.node])
    }
    tree.add(rest)
  }

  get node(): PickleDict {
    return { kind: 'dict', entries: this.entries }
  }
}
