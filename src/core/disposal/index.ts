/** The only code that deletes. */
export { failureOf } from './failure.js'
export { fingerprint, type Fingerprints } from './fingerprint.js'
export { bytesFreedBy } from './freed-bytes.js'
export { weigh, type Weight } from './weigh.js'
export { removeCheckpoints, type RemovalFailure, type RemovalResult, type RemoveOptions } from './remove-checkpoints.js'
