/** The batch systems that jobs run under. */
export { schedulerOf, type Placed } from './registry.js'
export type { AskScheduler, Environment, JobEnding, Scheduler, SchedulerJob } from './scheduler.js'
