/** Which process this is, and which others are there, as the lock of a run needs to know. */
import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Processes } from '../core/changes/state/index.js'

/** Linux tells all of it below /proc; elsewhere a lock's owner is known by its heartbeat alone. */
export function processes(command: string): Processes {
  const self = {
    host: hostname(),
    pid: process.pid,
    started: startOf(process.pid),
    boot: textOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: textOrNull(() => readlinkSync('/proc/self/ns/pid')),
    command,
  }
  return { self, startOf, isOwnJob }
}

/**
 * Clock ticks after the boot: field 22 of /proc/PID/stat (proc(5)); the second, a name, may hold anything. One that has
 * ended and that nobody has waited for (state Z) is there no more.
 */
export function startOf(pid: number): string | null {
  const stat = textOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' ? null : (fields?.[19] ?? null)
}

/** What ckpt sets in the environment of a job (machine/job-process.ts) stays readable as long as the process lives. */
function isOwnJob(pid: number): boolean {
  try {
    const isOwn = statSync(`/proc/${pid}`).uid === process.geteuid?.()
    return isOwn && /(?:^|\0)CKPT_JOB=/.test(readFileSync(`/proc/${pid}/environ`, 'latin1'))
  } catch {
    return false
  }
}

function textOrNull(read: () => string): string | null {
  try {
    return read()
  } catch {
    return null
  }
}
