/** This machine, as core's supervision asks for it. */
import { fstatSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { World } from '../core/supervise/index.js'
import { processSignals } from '../run-child.js'
import { withBatchShell } from './batch-shell.js'
import { startJob } from './job-process.js'
import { oomKills } from './oom-kills.js'

export function realWorld(tell: (text: string) => void): World {
  return {
    now: () => Date.now() / 1000,
    sleep,
    random: Math.random,
    start: startJob(() => processSignals.isForeground(), 'inherit'),
    signals: withBatchShell(processSignals, process.env),
    oomKills,
    outputSize,
    tell,
  }
}

/** The longest that a timer takes; a longer one would end at once. */
const longest = 2 ** 31 - 1

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(Math.min(milliseconds, longest), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
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
