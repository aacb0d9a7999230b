/** A run as a whole: the parts of core put together for the questions that people ask of one. */
export { arrange, type Arranged, type Query } from './arrange.js'
export { choose, type ChooseContext, type ChooseRequest } from './choose.js'
export { examine, examineAcross, openRun, openRunIfAny, openRuns } from './open.js'
export { fileOfKey, findFile, findFiles, type FileRequest, type FoundFile } from './find-file.js'
export { checkRequest, planPrune, type PruneContext, type PrunePlan, type PruneRequest } from './prune.js'
export { openExactly, previewCheckpoint } from './save.js'
export { recordRun, verifyRun, type Verified, type VerifyRequest } from './verify.js'
