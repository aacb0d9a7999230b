/** Carrying tensors by name from one file into the structure of another. */
export { ensureTransferable, matchTensors, reportOf } from './match.js'
export type { Form, MatchOptions, Pair, TransferPlan, TransferReport } from './match.js'
export type { NearMiss } from './near-misses.js'
export { transfer } from './write.js'
export type { TransferOptions } from './write.js'
