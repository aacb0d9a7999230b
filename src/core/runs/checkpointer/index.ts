/** Checkpoints from within a training program. */
export {
  Checkpointer,
  type CheckpointerOptions,
  type RecoverableOptions,
  type RecoverOptions,
  type SaveCheckpointOptions,
  type Surroundings,
} from './checkpointer.js'
export type { Choice, Importance, Keeping } from './choose.js'
export { EpochCounter, EpochCounterWithStopper, type StopperOptions } from './epoch-counter.js'
export { registerHooks, type Hooks, type LoadHook, type SaveHook, type TransferHook } from './hooks.js'
