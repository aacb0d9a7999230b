/** A program that prints what is known of the job that it runs in. */
import { askScheduler } from '../../src/machine/ask-scheduler.js'
import { schedulerOf } from '../../src/core/jobs/schedulers/index.js'

const system = await schedulerOf(process.env, askScheduler)
console.log(JSON.stringify(system?.job ?? null))
