/** What a checkpoint says of itself, from its bytes to values, and what those values mean. */
export { isBookkeeping } from './bookkeeping.js'
export { directionOf } from './direction.js'
export { flatten } from './flatten.js'
export { isImpossible } from './impossible.js'
export { metricKeys } from './metric-keys.js'
export { readMetas } from './read.js'
export { longestKey, mostKeys, toMeta, toMetaValue } from './to-meta.js'
export { evaluationsAmong, isEvaluation, withoutTraining } from './training.js'
