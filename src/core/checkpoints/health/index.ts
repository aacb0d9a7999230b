/** Is a checkpoint whole, and has it stopped changing? */
export { checkAndSum, checkHealth, checkStructure, type HealthOptions, type Summed } from './check.js'
export { compareSums, type Sum, type Sums } from './checksums.js'
export { checkFinite } from './finite.js'
export { isNamelessStandIn } from './not-weights.js'
export { missedIn } from './weights-alone.js'
export { isMissed, rankOfRandomState } from './random-states.js'
export { findRefused } from './unreadable-files.js'
export { lookInterval, mayBeWritten, markStillWritten, type StillWrittenOptions } from './still-written.js'
