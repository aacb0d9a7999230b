/** The batch systems that jobs run under. */
export { batchScript, callsRun } from './batch-script.js'
export { jobOfRun, parseQueue, queuedJobs, type QueuedJob } from './queue.js'
export { schedulerOf, type BatchSystem } from './registry.js'
export type { AskScheduler, Environment, JobEnding, Scheduler, SchedulerJob } from './scheduler.js'
