/** What happened to the jobs of a run. */
export { attemptsOf, type RecordedAttempt } from './attempts.js'
export { beganFromNothing, endedByItself, otherRanks, type Began } from './began.js'
export { identityOf } from './entry.js'
export type { CheckpointEntry, EndEntry, JournalEntry, JobName, Next, StartEntry } from './entry.js'
export { Journal, readJournal, type JournalContents } from './journal.js'
