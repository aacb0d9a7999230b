/** Starting a job from a checkpoint. */
export { environmentOf, jobEnvironment } from './environment.js'
export { fillArguments, holdsPlaceholder, namesCheckpoint } from './fill-arguments.js'
export {
  outcomeOf,
  runChild,
  type Child,
  type ChildEnd,
  type ChildOutcome,
  type SignalName,
  type Signals,
  type StartChild,
} from './run-child.js'
export type { LinkKind } from '../../changes/publish/index.js'
export { stage, type Staged, type StageOptions } from './stage.js'
export { valueText } from './value-text.js'
