/** What happened to the jobs of a run. */
export { attemptsOf, type Attempt } from './attempts.js'
export { beganFromNothing, type Began } from './began.js'
export { identityOf } from './entry.js'
export type { CheckpointEntry, EndEntry, Entry, JobName, Next, StartEntry } from './entry.js'
export { Journal, readJournal, type Contents } from './journal.js'
