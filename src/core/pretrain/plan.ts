/** What a pretraining is to do: the plan as its file says it, all paths absolute. No I/O. */
import type { FilePosition } from '../formats/yaml/config-yaml.js'
import type { Hook } from '../jobs/hooks/index.js'
import type { NameRules } from '../tensors/names/index.js'
import type { MatchOptions } from '../tensors/transfer/index.js'
import type { Origin } from './parse-origin.js'

/**
 * How a file of this machine comes to where files are collected: as a link to its absolute path, as a second name of
 * the same bytes, as bytes of its own; `none` uses it where it lies.
 */
export type LinkStrategy = 'symbolic' | 'hard' | 'copy' | 'none'

export const linkStrategies: readonly LinkStrategy[] = ['symbolic', 'hard', 'copy', 'none']

export interface PretrainPlan {
  /** The file. */
  readonly path: string
  /** Null: files are used where they lie, and none can be downloaded. */
  readonly collectIn: string | null
  readonly link: LinkStrategy
  readonly loadables: readonly Loadable[]
  readonly hooks: readonly Hook[]
}

export interface Loadable {
  readonly key: string
  /** The name that its file gets where it is collected: `KEY.ckpt`, and a shard's own, which the index names. */
  readonly name: string
  readonly position: FilePosition
  /** The condition as it is written, where by it this one is left out; its source is then not looked at. */
  readonly skippedBy: string | null
  /** Null alone where it is left out. */
  readonly origin: Origin | null
  /** What it is loaded into; null when it is collected alone. */
  readonly load: Load | null
}

export interface Load {
  /** Its structure is kept; the file itself is never changed. */
  readonly target: string
  /** Where the result goes. */
  readonly output: string
  readonly names: NameRules
  readonly match: MatchOptions
}
