/** Carrying tensors by name from one file into another. */
export {
  castsOf,
  ensureTransferable,
  isRenamed,
  formatPart,
  matchTensors,
  reportOf,
  suggestCommand,
  suggestionsFor,
  tiedIn,
  type Coverage,
  type MatchOptions,
  type TransferPlan,
  type TransferReport,
} from './match.js'
export type { Pair } from './pair-tensors.js'
export { transferInPlace } from './in-place.js'
export type { NearMiss, Suggestion } from './near-misses.js'
export type { PrefixChange } from './prefixes.js'
export type { Resize, ResizeKind } from './resize.js'
export { sparedFrom } from './wanted-dtype.js'
export { transfer, type TransferOptions } from './write.js'
