/** What a process does with a signal, as Linux tells it (proc(5)). */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** Caught, ignored, blocked, pending for the whole process. */
export type SignalSet = 'SigCgt' | 'SigIgn' | 'SigBlk' | 'ShdPnd'

/** A set in /proc/PID/status is a number in base 16, the lowest bit for signal 1. False where it cannot be read. */
export function hasSignal(pid: number, set: SignalSet, signal: NodeJS.Signals): boolean {
  const digits = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(statusOf(pid))?.[1]
  return digits !== undefined && ((BigInt(`0x${digits}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}
