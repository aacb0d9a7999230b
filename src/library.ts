/**
 * What `import … from 'ckpt'` gives a training program on this machine: core, and a Checkpointer that knows the local
 * file system, the clock and the time zone.
 */
import { resolve } from 'node:path'
import { every, localStamp, wait } from './machine/clock.js'
import {
  Checkpointer as CoreCheckpointer,
  type CheckpointerOptions,
  type Surroundings,
} from './core/runs/checkpointer/index.js'
import { processes } from './machine/process-identity.js'
import { userStorage } from './machine/user-storage.js'

export * from './core/index.js'

const here: Surroundings = {
  storage: userStorage((text) => process.emitWarning(text, { type: 'CkptWarning' })),
  now: () => Date.now() / 1000,
  localStamp,
  wait,
  every,
  processes: processes('a training program'),
}

/** Saves, finds, recovers and deletes checkpoints of a training program on this machine, as SpeechBrain's does in Python. */
export class Checkpointer extends CoreCheckpointer {
  /** A relative directory is one of the working directory. */
  constructor(directory: string, options: CheckpointerOptions & Partial<Surroundings> = {}) {
    super(resolve(directory), { ...here, ...options }, options)
  }
}
