/** What happened to the jobs and checkpoints of a run. */
export { attemptsOf, type RecordedAttempt } from './attempts.js'
export { beganFromNothing, endedByItself, firstSaveIn, otherRanks, type Began, type DoubtedFirst } from './job-began.js'
export { removalsAndCutOff, removalsIn } from './removals.js'
export { identityOf } from './entry.js'
export type { CheckpointEntry, Doer, EndEntry, JournalEntry, JobName, Next, RemovalEntry, StartEntry } from './entry.js'
export { Journal, journalPath, readJournal, type JournalContents } from './journal.js'
