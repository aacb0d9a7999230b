/** Where in a file of torch the weights lie, and what lies beside them. */
import type { PartRole } from '../../formats/torch/parts.js'

/** What a file holds under one key. */
export interface FilePart {
  /** The keys that lead to it, joined with dots; empty for the whole file. */
  readonly path: string
  readonly role: PartRole
  readonly tensors: number
  readonly isModule: boolean
  /** Paths below it that are not of it. */
  readonly except?: readonly string[]
}

export interface FileParts {
  /** In the order of the file. */
  readonly parts: readonly FilePart[]
  /** Those that a model's loader reads; several where nothing tells which one. */
  readonly weights: readonly FilePart[]
  /** All keys on the way to them, as paths. */
  readonly keys: readonly string[]
}
