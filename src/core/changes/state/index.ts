/** What ckpt remembers of a run, beside the run. */
export { readChecksums, writeChecksums, type Checksums } from './checksums.js'
export {
  demotionPath,
  forgetDemotion,
  readDemotions,
  removeDrafts,
  writeDemotion,
  type Demotion,
  type DroppedEntry,
} from './demotions.js'
export {
  forgetGroupMove,
  readGroupMoves,
  removeGroupDrafts,
  writeGroupMove,
  type GroupMember,
  type GroupMove,
} from './group-moves.js'
export { acquireLock, holderOf, jobLock, staleAfter, withLock, type Lock, type LockOptions } from './lock.js'
export { isNameInside } from './name-inside.js'
export { isNeutralName, neutralName } from './neutral-name.js'
export type { Owner, Processes } from './lock-owner.js'
export { isSameProof, readProven, writeProven, type Proven } from './proven-whole.js'
export {
  isInForce,
  longestByName,
  otherFolder,
  pinsPath,
  readDistrustedPins,
  readPins,
  unknownPins,
  writePins,
  type Pin,
} from './pins.js'
export { quietly, readRecordOrNull, tellMisfit, unlinkIfThere, writeRecord } from './record.js'
export { isCount, isInode, isList, isText, isTime } from './schema.js'
export { forgetStopRequest, readStopRequest, writeStopRequest, type StopTime } from './stop-request.js'
export { readSetAside, writeSetAside, type SetAside } from './set-aside.js'
export { orWarn, readElsewhere, readKnownElsewhere, type NamedFolder } from './elsewhere.js'
export { makeInside, makeState, refuseWithout, removeEmpty } from './make-state.js'
export { otherStatesOf, pointedStateFolderOf, stateFolderOf, type StateFolder } from './state-folder.js'
export { unreadRecordsOf } from './unread-records.js'
export {
  readTrash,
  trash,
  trashRecordPath,
  writeTrashRecord,
  type TrashContents,
  type TrashEntry,
  type TrashRecord,
} from './trash-records.js'
