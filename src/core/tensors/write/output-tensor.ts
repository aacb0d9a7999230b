/** A tensor that is to be written: what it is, and how its bytes come. */
import type { Dtype, Shape } from '../../formats/safetensors/safetensors.js'
import type { OutputCast } from './losses.js'
import type { Sink } from './sink.js'

export interface OutputTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
  /** Bytes of all elements. */
  readonly bytes: number
  /**
   * Another tensor of the output, that has these very values: torch has both in one storage, safetensors a note in
   * place of this one. What lies in another file of several has values of its own.
   */
  readonly tiedTo?: string
  /** How its values are cast; `writeTo` counts what that loses. */
  readonly cast?: OutputCast
  /** Gives exactly that many. */
  readonly writeTo: (sink: Sink) => Promise<void>
}
