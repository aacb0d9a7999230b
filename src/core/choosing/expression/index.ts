/** Expressions over a checkpoint's values: parsed, explained where they are wrong, and evaluated. */
export { parseExpression, selects, type Expression } from './expression.js'
export { didYouMean, namesWithin, nearestName, nearestNames, orList } from '../../nearest.js'
export { parseDuration, parseSize } from './quantity.js'
export { toNumeric, type Scope, type Value } from './value.js'
