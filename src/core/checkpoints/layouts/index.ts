/** Runs and checkpoints as the frameworks lay them out. */
export { alikeByFiles, type Alike } from './alike-files.js'
export {
  layoutsWithoutPointer,
  pointerFilesOf,
  emptyPointerFile,
  listingAgain,
  nameableOf,
  namingInstead,
  ruleOf,
  withoutGoing,
  type PointerFile,
  type PointerChange,
  type LayoutPointerFiles,
  type Successor,
} from './run-pointers.js'
export {
  findRuns,
  loadRun,
  loadRunAt,
  NoRunError,
  refuseAbsent,
  resolveFrom,
  SeveralRunsError,
  type SearchBounds,
  walkFrom,
  whatRunsAre,
} from './discover.js'
export { batches, compareText, findingOf, folderReason, prefixOf } from './folders.js'
export { ignoreFile } from './ignore-rules.js'
export type { Folder, Layout, OwnStart, PointerFix, Standing } from './layout.js'
export { pathsNear, withPathsNear } from './near-paths.js'
export { findCheckpointAt, findCheckpointBehind, loadCheckpoint, type LoadedCheckpoint } from './load-checkpoint.js'
export {
  listFiles,
  measure,
  TotalSize,
  uniteFindings,
  type CheckpointFiles,
  type MeasuredFile,
} from './measure-sizes.js'
export { explainTemporary, findLeftovers, type SaveLeftover } from './leftovers.js'
export {
  findLayout,
  hasOwnLayouts,
  isOwnLayout,
  knownLayouts,
  knownSpecs,
  ownMarker,
  useOwnLayouts,
} from './registry.js'
export { filesTogether, resumeOnly } from './roles.js'
export { complete, scanFolder } from './scan.js'
export { readHistory, type Axis, type History } from './history.js'
export { isRunOfFolders, locateRun } from './locate-run.js'
export { locateManyRuns } from './locate-many-runs.js'
export { ScanTree } from './scan-tree.js'
export {
  insideOf,
  takenBy,
  type EarlierWalk,
  type RecalledRun,
  type RunAnswers,
  type WalkCount,
  type WalkedRun,
  type WalkOptions,
} from './walk.js'
export { withoutRestartRuns } from './own-restarts.js'
