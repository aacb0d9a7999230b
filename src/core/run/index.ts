/** A run as a whole: the parts of core put together for the questions that people ask of one. */
export { arrange, type Arranged, type Query } from './arrange.js'
export { choose, type ChooseContext, type ChooseRequest } from './choose.js'
export {
  examine,
  examineAcross,
  grade,
  openCheckpoint,
  openCheckpointAt,
  openRun,
  openRunIfAny,
  openRuns,
} from './open.js'
export { applyPlan, type Application } from './apply.js'
export { carryOut, type CarryOutOptions, type Going } from './carry-out.js'
export { planDemote, type DemotePlan, type DemoteRequest } from './demote.js'
export { emptyAndFinish } from './finish.js'
export { holding, pin, takeGonePins, unpin } from './pin.js'
export { planToJson, readPlan, writePlan, type WrittenPlan } from './plan-file.js'
export { pinsOf, type StatePlace } from './state.js'
export { fileOfKey, findFile, findFiles, type FileRequest, type FoundFile } from './find-file.js'
export { checkRequest, planPrune, type PruneContext, type PrunePlan, type PruneRequest } from './prune.js'
export { openExactly, previewCheckpoint } from './save.js'
export { setAside, setAsideReasons, takeBack } from './set-aside.js'
export { recordRun, verifyRun, type Verified, type VerifyRequest } from './verify.js'
