/** Runs and checkpoints as the frameworks lay them out. */
export { findRuns, loadRun, NoRunError } from './discover.js'
export { batches, compareText, findingOf, reasonOf } from './folders.js'
export type { Folder, Layout } from './layout.js'
export { findCheckpointAt, loadCheckpoint, type LoadedCheckpoint } from './load-checkpoint.js'
export { listFiles, measure, uniteFindings, type Contents, type FoundFile } from './measure.js'
export { explainTemporary, findLeftovers, type Leftover } from './leftovers.js'
export { findLayout, layouts } from './registry.js'
export { complete, scanFolder } from './scan.js'
