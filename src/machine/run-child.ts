/** Starting a job's process, as core asks for it (core/jobs/command/run-child.ts). */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { ChildEnd, Signals, StartChild } from '../core/jobs/command/run-child.js'
import { cameEarly } from './early-signals.js'
import { isHangupIgnored, keepingHangup } from './hangup.js'

/** execa is loaded when used: it takes longer than the rest of a `find`. */
export const startChild: StartChild = async (command, args, environment) => {
  const { execa } = await import('execa')
  const [program, ...rest] = keepingHangup(command, args)
  const child = execa(program, rest, {
    stdio: 'inherit',
    env: { ...environment },
    extendEnv: false,
    reject: false,
    buffer: false,
    // A SIGTERM asks the job to save; execa would kill it five seconds later.
    forceKillAfterDelay: false,
  })
  return { send: (signal) => void child.kill(signal), ended: child.then(endOf) }
}

interface Ended {
  readonly exitCode?: number | undefined
  readonly signal?: keyof typeof constants.signals | undefined
  readonly code?: string | undefined
}

function endOf({ exitCode, signal, code }: Ended): ChildEnd {
  if (signal !== undefined) return { kind: 'killed', signal: constants.signals[signal], name: signal }
  if (exitCode !== undefined) return { kind: 'exited', status: exitCode }
  return { kind: 'unstarted', errno: code ?? 'unknown' }
}

/** This process's signals. */
export const processSignals: Signals = {
  listen(signal, listener) {
    if (signal === 'SIGHUP' && isHangupIgnored()) return () => undefined
    process.on(signal, listener)
    // As a signal that comes now: after what the caller is in the midst of.
    if (cameEarly(signal)) setImmediate(listener)
    return () => process.off(signal, listener)
  },
  isForeground,
}

/**
 * Linux says it outright, whatever the streams lead to: our process group is the terminal's foreground group (proc(5),
 * stat, fields 5 and 8; field 2 is in parentheses and may hold anything). Elsewhere a terminal on a stream stands for it.
 */
function isForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[2] === fields[5]
  } catch {
    return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  }
}
