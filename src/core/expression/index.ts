export { parseExpression, selects, type Expression } from './expression.js'
export { nearestName } from './nearest.js'
export { parseDuration, parseSize } from './quantity.js'
export { compareText, toNumeric, truthOf, type Scope, type Truth, type Value } from './value.js'
