/** Which tensor goes into which. */
import type { TensorInfo } from '../read/tensor.js'
import type { Resize } from './resize.js'

/** A tensor of the source and the one that it goes into. */
export interface Pair {
  readonly source: TensorInfo
  readonly target: TensorInfo
  /** Only a part goes over. */
  readonly resize?: Resize
  /** Filled as a further name of this one, which it is tied to in the target. */
  readonly through?: string
}
