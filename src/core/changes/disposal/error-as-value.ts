/** Failures of core as values, for who goes on with the next checkpoint after one. */
import { CkptError } from '../../errors.js'

/** A failure of core as a value; any other error is a bug and passes through. */
export async function errorAsValue<T>(call: () => Promise<T>): Promise<T | CkptError> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof CkptError) return error
    throw error
  }
}

/** Why it failed; null where it did not. */
export async function whyFailed(call: () => Promise<unknown>): Promise<CkptError | null> {
  const answer = await errorAsValue(call)
  return answer instanceof CkptError ? answer : null
}
