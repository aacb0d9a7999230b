export { parseExpression, selects, type Expression } from './expression.js'
export { nearestName } from './nearest.js'
export { parseDuration } from './quantity.js'
export { compareText, toNumeric, type Scope, type Value } from './value.js'
