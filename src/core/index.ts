/**
 * The library: checkpoints of experiment directories from TypeScript. Nothing here prints, asks, looks at the clock or
 * starts a process; times are Unix seconds, sizes bytes, paths absolute. What fails on purpose throws CkptError.
 *
 *     import { localStorage, openRun, rank } from 'ckpt'
 *
 *     const run = await openRun(localStorage(), '/experiments/asr/save')
 *     const [best] = rank(run.checkpoints, { kind: 'min', key: 'WER' }, Date.now() / 1000)
 */

// Words
export {
  isMeta,
  isSound,
  isWhole,
  OpaqueValue,
  timeOf,
  type Checkpoint,
  type Finding,
  type Grade,
  type Health,
  type HealthLevel,
  type Meta,
  type MetaValue,
  type Member,
  type Moment,
  type ParamFile,
  type Pointer,
  type Role,
  type Run,
} from './checkpoint.js'
export { CkptError, FormatError, StorageError, type ErrorCode } from './errors.js'

// The file system
export { localStorage } from './storage/local.js'
export type { ReadStorage, Storage } from './storage/storage.js'

// Runs and their checkpoints
export { findCheckpointAt, loadCheckpoint, type LoadedCheckpoint } from './checkpoints/layouts/index.js'
export { arrange, examine, openRun, openRuns, type Arranged, type Query } from './runs/index.js'
export { checkHealth, type HealthOptions } from './checkpoints/health/index.js'

// Choosing
export { parseExpression, type Expression } from './choosing/expression/index.js'
export {
  bestOrder,
  bestPerMetric,
  byRecency,
  filter,
  find,
  rank,
  type Order,
  type Recency,
} from './choosing/selection/index.js'

// Which may go (deciding only)
export {
  plan,
  rules,
  type RetentionPlan as Plan,
  type PlanInput,
  type Policy,
  type Reason,
  type Rule,
  type RuleKind,
} from './choosing/retention/index.js'
export { planPrune, type PrunePlan, type PruneRequest } from './runs/index.js'

// Saving, and recovering a training program
export {
  Checkpointer,
  EpochCounter,
  EpochCounterWithStopper,
  registerHooks,
  type CheckpointerOptions,
  type Choice,
  type Hooks,
  type Keeping,
  type LoadHook,
  type RecoverableOptions,
  type RecoverOptions,
  type SaveCheckpointOptions,
  type SaveHook,
  type StopperOptions,
  type Surroundings,
  type TransferHook,
} from './runs/checkpointer/index.js'
export {
  saveCheckpoint,
  toPyMeta,
  toPyValues,
  type FileToSave as FileSource,
  type MetaInput,
  type MetaInputs,
  type NewCheckpoint,
  type Placement,
  type Saved,
  type SaveOptions,
} from './changes/saving/index.js'

// Tensors, and carrying them over by name
export { openTensors, type TensorFile, type TensorInfo } from './tensors/read/index.js'
export {
  matchTensors,
  reportOf,
  transfer,
  type MatchOptions,
  type TransferOptions,
  type TransferPlan,
} from './tensors/transfer/index.js'
