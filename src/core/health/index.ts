/** Is a checkpoint whole, and has it stopped changing? */
export { checkHealth, checkStructure, type HealthOptions } from './check.js'
export { compareSums, sumFiles, type Sum, type Sums } from './checksums.js'
export { checkFinite } from './finite.js'
export { lookInterval, settle, type SettleOptions } from './settle.js'
