/** A run as a whole: the parts of core put together for the questions that people ask of one. */
export { arrange, namesInOrders, namesInQuery, type Arranged, type Query } from './rank-and-filter.js'
export { choose, neverFinished, type ChooseContext, type ChooseRequest } from './choose-to-resume.js'
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
} from './open-run.js'
export { findPacked, loneFile, loneFolder, type Lone } from './lone-weights.js'
export {
  clearObstacles,
  describeObstacle,
  tellObstacles,
  type BeginsAnew,
  type ClearContext,
  type Cleared,
  type Unled,
} from './clear-obstacles.js'
export { chooseOrBegin, isFirstSaveCut, type FromNothing } from './first-start.js'
export { cutShort } from './save-cut-short.js'
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
} from './curves.js'
export type { ObstacleContext, ObstacleRequest } from './obstacles.js'
export { whyLocked, type ByHand } from './plan-by-hand.js'
export { applyPlan } from './apply-plan-file.js'
export { carryOut, remember, type CarriedOut, type CarryOutOptions, type Going } from './carry-out-prune.js'
export type { Pointed } from './update-pointers.js'
export { carryOutDemotion, planDemote, type DemotePlan, type DemoteRequest, type DemotionDone } from './demote.js'
export { intentOf, refusalOf, type Intent } from './prune-intent.js'
export { emptyAndFinish, finishDemotionsOf } from './finish-interrupted.js'
export { holding } from './holding.js'
export { pin, takeGonePins, unpin } from './pin.js'
export { planToJson, plansToJson, readPlan, readPlans, withPlan, writePlan, type WrittenPlan } from './plan-file.js'
export { clearedFor, type ClearedFolder, type JobFolders } from './one-job.js'
export { openAllIfAny, openRunToGoOn, openRunToGoOnIfAny, type GoOnOptions, type RunToGoOn } from './run-to-go-on.js'
export { pinsOf } from './protecting-pins.js'
export type { StateLocation } from './run-with-state.js'
export { fileOfKey, findFile, findFiles, type FileRequest, type FoundParamFile } from './find-file.js'
export { recordRemovals, recordMissedDemotions, type Removing } from './record-removals.js'
export {
  checkRequest,
  describePolicy,
  planPrune,
  type PruneContext,
  type PrunePlan,
  type PruneRequest,
} from './prune.js'
export type { Writers } from './plan-checks.js'
export { planRemoval, type RemovalRequest } from './remove-named.js'
export { openExactly, previewCheckpoint } from './save.js'
export { lookTwice } from './second-look.js'
export { restoreAndName, type Restored } from './restore.js'
export { setAside, setAsideReasons, takeBack } from './set-aside.js'
export { recordRun, verdictOf, verifyRun, type Verified, type VerifyRequest } from './verify.js'
export { writeText } from './write-text.js'
export { idlenessOf, lastTouchOf, type Idleness, type LastJob } from './idleness.js'
export { bestKnown, summariseRun, type BestOfRun, type RunSummary, type SummaryRequest } from './summarise-run.js'
export {
  applyEach,
  isOthers,
  lastWrite,
  planEach,
  planWritten,
  toWritten,
  type DoneRun,
  type LeftAlone,
  type ManyPlans,
  type PlannedRun,
} from './prune-many.js'
export { RememberedSummaries } from './remembered-summaries.js'
export { reportRun, type ReportRequest, type RunReport } from './report.js'
export { compareRuns, type ComparedRun, type DifferentSetting, type RunComparison } from './compare-runs.js'
export { keptAcross, requestAcross } from './rank-across.js'
export { DiskUses, totalUse, type DiskUse, type UseKind } from './disk-use.js'
