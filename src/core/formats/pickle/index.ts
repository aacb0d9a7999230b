/** Pickles as inert data: nothing is imported, nothing is called. */
export { defaultLimits, readPickle, type PickleLimits, type Unpickled } from './machine.js'
export { PickleEndsEarly } from './input.js'
export * from './nodes.js'
