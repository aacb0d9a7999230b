/** Python's pickles: read as inert nodes, nothing of which is imported or called; searched for what they would run; written. */
export {
  deepest,
  limitsFor,
  mayBeginPickle,
  readAsJoblibDoes,
  readCalls,
  readPickle,
  readUntilItBreaks,
  type PickleCalls,
  type PickleLimits,
  type PickleSoFar,
  type Unpickled,
} from './machine.js'
export { auditPickle, type PickleAudit } from './audit.js'
export { isUnsafe } from './danger.js'
export { isPickle } from './head.js'
export { PickleDoubtful, PickleEndsEarly, PickleUnfollowed } from './input.js'
export { isOfJoblib } from './joblib-array.js'
export { isReadAsPickle } from './old-pickle.js'
export * from './nodes.js'
export { idOf, spelledOut } from './plain-tensor.js'
export { writePickle, type WriteHooks } from './write.js'
