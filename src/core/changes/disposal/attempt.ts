import { CkptError } from '../../errors.js'

/** A failure of core as a value; any other error is a bug and passes through. */
export async function attempt<T>(call: () => Promise<T>): Promise<T | CkptError> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof CkptError) return error
    throw error
  }
}
