/** Questions about a run, and changes of it, that the commands and the library ask of core. */
export {
  arrange,
  describeNoMatch,
  namesInOrders,
  namesInQuery,
  type Arranged,
  type Query,
} from './opening/rank-and-filter.js'
export { choose, neverFinished, type ChooseContext, type ChooseRequest } from './recovering/choose-to-resume.js'
export {
  eachRun,
  examine,
  examineAcross,
  grade,
  openCheckpoint,
  openNamed,
  openRun,
  openRunAt,
  openRunIfAny,
  openRuns,
  searchRuns,
  readWhole,
  type Named,
  type OpenedRuns,
} from './opening/open-run.js'
export { findPacked, loneFile, orLoneFolder, type Lone } from './opening/lone-weights.js'
export {
  clearObstacles,
  describeObstacle,
  tellObstacles,
  type BeginsAnew,
  type ClearContext,
  type Cleared,
  type Unled,
} from './recovering/clear-obstacles.js'
export { chooseOrBegin, isFirstSaveCut, type FromNothing } from './recovering/first-start.js'
export { cutShort } from './recovering/save-cut-short.js'
export {
  axisOf,
  curvesOf,
  drawRuns,
  firstAxis,
  loggedAxis,
  smoothed,
  type AxisCurves,
  type CheckpointPoint,
  type Curve,
  type CurveAxis,
  type CurvePoint,
} from './reporting/curves.js'
export type { ObstacleContext, ObstacleRequest } from './recovering/obstacles.js'
export { whyLocked, type ByHand } from './pruning/plan-by-hand.js'
export { applyPlan } from './pruning/apply-plan-file.js'
export { carryOut, remember, type CarriedOut, type CarryOutOptions, type Going } from './pruning/carry-out-prune.js'
export type { Pointed } from './pruning/update-pointers.js'
export {
  carryOutDemotion,
  planDemote,
  type DemotePlan,
  type DemoteRequest,
  type DemotionDone,
} from './pruning/demote.js'
export { intentOf, refusalOf, runAsPlanned, type Intent } from './pruning/prune-intent.js'
export { emptyAndFinish, finishDemotionsOf } from './pruning/finish-interrupted.js'
export { holding } from './protecting/holding.js'
export { pin, takeGonePins, unpin } from './protecting/pin.js'
export {
  folderOfPlans,
  planToJson,
  plansToJson,
  readPlanFile,
  refuseOtherRuns,
  withPlan,
  writePlan,
  type PlanFile,
  type WrittenPlan,
} from './pruning/plan-file.js'
export { clearedFor, clearedForFirst, type ClearedFolder, type JobFolders } from './opening/one-job.js'
export {
  openAllIfAny,
  openRunToGoOn,
  openRunToGoOnIfAny,
  type GoOnOptions,
  type RunToGoOn,
} from './opening/run-to-go-on.js'
export { pinsOf } from './protecting/protecting-pins.js'
export type { StateLocation } from './opening/run-with-state.js'
export { fileOfKey, findFile, findFiles, type FileRequest, type FoundParamFile } from './with-tensors/find-file.js'
export { recordRemovals, recordMissedDemotions, type Removing } from './pruning/record-removals.js'
export {
  checkRequest,
  describePolicy,
  planPrune,
  type PruneContext,
  type PrunePlan,
  type PruneRequest,
} from './pruning/prune.js'
export type { Writers } from './pruning/plan-checks.js'
export { planRemoval, type RemovalRequest } from './pruning/remove-named.js'
export { openExactly, previewCheckpoint } from './opening/save.js'
export { lookTwice } from './verifying/second-look.js'
export { restoreAndName, type Restored } from './from-trash/restore.js'
export { setAside, setAsideReasons, takeBack } from './protecting/set-aside.js'
export { recordRun, verdictOf, verifyRun, type Verified, type VerifyRequest } from './verifying/verify.js'
export { writeText } from './reporting/write-text.js'
export { idlenessOf, lastTouchOf, type Idleness, type LastJob } from './reporting/idleness.js'
export {
  bestKnown,
  summariseRun,
  type BestOfRun,
  type RunSummary,
  type SummaryRequest,
} from './reporting/summarise-run.js'
export {
  applyEach,
  isOthers,
  lastWrite,
  planEach,
  type DoneRun,
  type LeftAlone,
  type ManyPlans,
  type PlannedRun,
} from './pruning/prune-many.js'
export { RememberedSummaries } from './reporting/remembered-summaries.js'
export { reportRun, type ReportRequest, type RunReport } from './reporting/report.js'
export { compareRuns, type ComparedRun, type DifferentSetting, type RunComparison } from './reporting/compare-runs.js'
export { planAgain, planBelow, planRun } from './pruning/plan-below.js'
export { DiskUses, totalUse, type DiskUse, type UseKind } from './pruning/disk-use.js'
