/** Starts a process, and gives the system's error code where Node throws in place of reporting the failure by an event. */
import type { ChildProcess } from 'node:child_process'

/**
 * The process, which may still tell by an event that it did not start; else the system's code, or a word for it. Node
 * throws some failures in place of telling them: arguments and environment that are too long (execve(2), E2BIG), a NUL
 * in one of them.
 */
export function spawned<Process extends ChildProcess>(spawn: () => Process): Process | string {
  try {
    return spawn()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code ?? message
  }
}
