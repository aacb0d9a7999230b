/** What is asked of a supervised job, and what is done around it. */
import type { Checkpoint } from '../../checkpoint.js'
import type { SignalName } from '../command/index.js'
import type { Journal, Next } from '../../changes/journal/index.js'
import type { StopTime } from '../../changes/state/index.js'
import type { StateLocation } from '../../runs/index.js'
import type { Storage } from '../../storage/storage.js'
import type { BatchSystem } from '../schedulers/index.js'
import type { BackOff } from './back-off.js'
import type { Limits } from './budget.js'
import type { Ending } from './classify.js'
import type { Enough } from './reasons-to-stop.js'
import type { ResumeRequest, Start } from './resume.js'
import type { Simulation } from './simulate.js'
import type { Machine } from './machine.js'

export interface JobPlan extends StateLocation {
  /** Absolute path of the run, as it was named: it may not be there yet, or lie above the run. */
  readonly path: string
  /** With placeholders. */
  readonly command: readonly string[]
  /** Added to it when there is a checkpoint to resume from. */
  readonly resumeArgs: readonly string[]
  readonly resume: ResumeRequest
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly limits: Limits
  readonly backOff: BackOff
  readonly noRetryOn: ReadonlySet<number>
  readonly requeueOn: ReadonlySet<number>
  /** Seconds. */
  readonly minUptime: number
  /** Seconds between asking the job to end and SIGKILL. */
  readonly grace: number
  /** Seconds without a sign of life; null: it may be silent for ever. */
  readonly stall: number | null
  /** Absolute paths whose change is a sign of life. */
  readonly watch: readonly string[]
  /** Seconds between two looks at the run, which come less often where a look takes its time. */
  readonly interval: { readonly least: number; readonly most: number }
  /** Starts from one checkpoint without a new one, after which the one before it is tried. */
  readonly setAsideAfter: number
  readonly enough: Enough
  /** How a job is asked to end that may: by a signal, or by making this file (absolute). */
  readonly stop: { readonly signal: SignalName; readonly file: string | null }
  readonly simulations: readonly Simulation[]
  /** The batch system's job that this runs in; null outside of any. */
  readonly batch: BatchSystem | null
  /** The signal by which the batch system says that the time limit is near. */
  readonly warning: SignalName | null
  /** What is sent to the job then, for it to save; null: nothing, it saves often enough. */
  readonly checkpointSignal: SignalName | null
  /** Starts although the work is done. */
  readonly again: boolean
  readonly host: string
}

/** What else is done around an attempt. */
export interface Chores {
  /** Makes the run agree with the start. Gives the names that the framework may still take before the chosen one. */
  readonly clearObstacles: (start: Start, attempt: number) => Promise<readonly string[]>
  readonly onCheckpoint: (checkpoint: Checkpoint, attempt: number) => Promise<void>
  readonly onEnd: (report: EndReport) => Promise<void>
  /** Marks a checkpoint, or takes the marks back. */
  readonly setAside: (checkpoint: Checkpoint, starts: number) => Promise<void>
  readonly takeBack: (checkpoints: readonly Checkpoint[]) => Promise<void>
  /** What somebody asked for in another shell. */
  readonly stopAsked: () => Promise<StopTime | null>
}

export interface EndReport {
  readonly attempt: number
  readonly ending: Ending
  readonly status: number
  readonly next: Next
  /** What it had resumed from. */
  readonly checkpoint: Checkpoint | null
  /** Names of what it saved, oldest first. */
  readonly saved: readonly string[]
  /** Some of the job's processes may be there still, and write. */
  readonly remains: boolean
  readonly hurry: Hurry
}

/** Time is short: the job is being ended, and ckpt with it. */
export interface Hurry {
  /** Has aborted, or will, when it is. */
  readonly signal: AbortSignal
  /** That there are then, as of now. */
  readonly seconds: number
}

export interface Outcome {
  readonly status: number
  readonly ending: Ending
}

/** What all of a supervised job's parts work with. */
export interface Job {
  readonly machine: Machine
  readonly storage: Storage
  readonly journal: Journal
  readonly plan: JobPlan
  readonly chores: Chores
}
