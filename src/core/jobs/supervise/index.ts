/** A command run to its end, whatever comes between. */
export { parseRetries, usualLimits, type Limits } from './budget.js'
export { type Enough, wholeOldestFirst } from './reasons-to-stop.js'
export { readingsOf, toCheckpointEntry, unknownTo } from './metric-history.js'
export { standingOf, type Patience } from './early-stopping.js'
export { parseSimulation } from './simulate.js'
export { chooseStart, type ResumeFrom } from './resume.js'
export { supervise, type Chores, type EndReport, type Hurry, type Outcome, type Plan } from './supervise.js'
export type { JobProcess, OomKills, StartJob, World } from './world.js'
