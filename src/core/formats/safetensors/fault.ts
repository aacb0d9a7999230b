/** The errors of a safetensors header. */
import { FormatError } from '../../errors.js'

/**
 * The rules that a file can break, by the names and in the order of the reference reader
 * (safetensors: safetensors/src/tensor.rs, `SafeTensorError`).
 */
export type SafetensorsRule =
  | 'HeaderTooSmall'
  | 'HeaderTooLarge'
  | 'InvalidHeaderLength'
  | 'InvalidHeader'
  | 'InvalidHeaderDeserialization'
  | 'InvalidOffset'
  | 'ValidationOverflow'
  | 'MisalignedSlice'
  | 'TensorInvalidInfo'
  | 'MetadataIncompleteBuffer'

/** A file that the reference reader refuses. The message has no path: who opened the file adds it. */
export class SafetensorsError extends FormatError {
  readonly rule: SafetensorsRule

  constructor(rule: SafetensorsRule, message: string, offset: number, hint?: string) {
    super(message, hint === undefined ? { offset } : { offset, hint })
    this.rule = rule
  }

  /** The same fault, said of the file at `path`. */
  in(path: string): SafetensorsError {
    return new SafetensorsError(this.rule, `${path}: ${this.message}`, this.offset ?? 0, this.hint)
  }
}

/** Text from a file as it is shown in a message: quoted, escaped, and cut where it is long. */
export function quote(text: string): string {
  const longest = 80
  return text.length <= longest
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, longest))}… (${text.length} characters)`
}
