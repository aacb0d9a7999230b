/** The only code that deletes. */
export {
  demoteCheckpoints,
  finishDemotions,
  type DemoteOptions,
  type Demoted,
  type Demoting,
  type FinishOptions,
  type WhyNotFinish,
} from './demote.js'
export { describeStay, removalError } from './removal-error.js'
export { fingerprint, fingerprintOf, pathsOf, type Fingerprint, type Fingerprints } from './fingerprint.js'
export { readFingerprint, writeFingerprint } from './fingerprint-json.js'
export { bytesFreedBy, freedBy, freedTogether, type SharedFile } from './freed-bytes.js'
export {
  addFinished,
  findLeftovers,
  finishLeftovers,
  leftoversOf,
  type Finished,
  type RemovalLeftover,
} from './leftovers.js'
export type { Wait } from '../../storage/retry.js'
export {
  makeDurable,
  removeCheckpoints,
  takeAway,
  type RemovalFailure,
  type RemovalResult,
  type RemoveOptions,
} from './remove-checkpoints.js'
export { holdsPending, isGroup, putBackGroups, returnGroup } from './groups.js'
export { folderOfParts, foldersOf } from './members.js'
export { guardRun } from './guard-run.js'
export { makePrivateFolder } from './private-folder.js'
export { removeTree } from './remove-tree.js'
export { whyFailed } from './error-as-value.js'
export { deleting, lookAgain, Mover, putBack } from './take-away.js'
export { measureFreed, type FreedBytes } from './freed-in-order.js'
