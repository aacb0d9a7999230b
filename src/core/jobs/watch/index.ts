/** Runs watched as their checkpoints and jobs change. */
export type { WatchEvent } from './event.js'
export type { JobState } from './job-state.js'
export { roomOf, type LookContext } from './run-memory.js'
export { Watch, type WatchOptions } from './watch.js'
export { usualPause, type Best, type WatchedRun } from './watched-run.js'
