/** Carrying tensors by name from one file into another. */
export {
  ensureTransferable,
  matchTensors,
  reportOf,
  type MatchOptions,
  type TransferPlan,
  type TransferReport,
} from './match.js'
export type { NearMiss } from './near-misses.js'
export { transfer, type TransferOptions } from './write.js'
