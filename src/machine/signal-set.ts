/** What a process does with a signal, as Linux tells it (proc(5)). */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** Caught, ignored, blocked, pending for the whole process. */
export type SignalSet = 'SigCgt' | 'SigIgn' | 'SigBlk' | 'ShdPnd'

/** A set in /proc/PID/status is a number in base 16, the lowest bit for signal 1. False where it cannot be read. */
export function hasSignal(pid: number, set: SignalSet, signal: NodeJS.Signals): boolean {
  const [, line] = statusOf(pid).split(`\n${set}:\t`, 2)
  if (line === undefined) return false
  const digits = line.slice(0, line.indexOf('\n'))
  return ((BigInt(`0x${digits}`) >> BigInt(numberOf(signal) - 1)) & 1n) === 1n
}

/** SIGHUP is 1 everywhere, and each start asks for it: node:os takes long to load. */
function numberOf(signal: NodeJS.Signals): number {
  return signal === 'SIGHUP' ? 1 : constants.signals[signal]
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}
