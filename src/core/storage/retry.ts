/** Trying again what is in use for a moment. */
import { StorageError } from '../errors.js'

/** Waits that many milliseconds. */
export type Wait = (milliseconds: number) => Promise<void>

/** Milliseconds between the tries at something that is in use: an open file on NFS stays as `.nfs…` for a while. */
const pauses = [20, 80, 250, 750]

/**
 * Repeats a call that fails with EBUSY, or with one of the codes `also`, a few times over a second; `between` is done
 * before each further try. Throws the last error.
 */
export async function patiently<T>(
  wait: Wait,
  call: () => Promise<T>,
  also: readonly string[] = [],
  between?: () => Promise<void>,
): Promise<T> {
  for (const pause of pauses) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.errno !== 'EBUSY' && !also.includes(error.errno)) throw error
    }
    await wait(pause)
    await between?.()
  }
  return call()
}
