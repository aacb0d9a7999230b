/** The processes, signals, clock and files of this machine, as core's supervision needs them. */
import { fstatSync } from 'node:fs'
import { sleep } from './clock.js'
import type { Machine } from '../core/jobs/supervise/index.js'
import { processSignals } from './run-child.js'
import { withBatchShell } from './batch-shell.js'
import { startJob } from './job-process.js'
import { oomKills } from './oom-kills.js'
import { noteAccess } from './access-times.js'

export function thisMachine(tell: (text: string) => void, mayHold: boolean): Machine {
  return {
    now: () => Date.now() / 1000,
    sleep,
    random: Math.random,
    start: startJob(() => processSignals.isForeground(), 'inherit'),
    signals: withBatchShell(processSignals, process.env, { mayHold, tell }),
    oomKills,
    noteAccess,
    outputSize,
    tell,
  }
}

function outputSize(): number | null {
  try {
    const stat = fstatSync(1)
    return stat.isFile() ? stat.size : null
  } catch {
    return null
  }
}
