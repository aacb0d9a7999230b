/** The events that watching runs reports. */
import type { Checkpoint } from '../../checkpoint.js'
import type { JobState } from './job-state.js'
import type { Best, WatchedRun } from './watched-run.js'

export type WatchEvent = {
  /** Absolute path of the run. */
  readonly run: string
} & (
  | { readonly event: 'watching' | 'appeared'; readonly seen: WatchedRun }
  | { readonly event: 'vanished' }
  | { readonly event: 'new' | 'damaged'; readonly checkpoint: Checkpoint }
  | { readonly event: 'removed'; readonly name: string }
  | {
      readonly event: 'best'
      readonly metric: string
      readonly best: Best
      readonly before: Best | null
      /** Null where it is gone already. */
      readonly checkpoint: Checkpoint | null
    }
  /** That many checkpoints in a row were no better. */
  | { readonly event: 'stalled'; readonly metric: string; readonly checkpoints: number; readonly best: Best }
  | { readonly event: 'job'; readonly job: JobState }
  /** Bytes that are free, and for how many more checkpoints as large as the newest that is. */
  | { readonly event: 'space'; readonly free: number; readonly room: number }
  /** It is true of this checkpoint: the end. */
  | { readonly event: 'until'; readonly text: string; readonly name: string }
)
