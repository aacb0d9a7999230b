/** The working folder, which relative paths start from. */
import { isAbsolute } from 'node:path'

/**
 * Where these arguments begin. Where the working folder has been deleted, absolute ones begin at the root all the same;
 * a relative one throws what Node says of it.
 */
export function baseOf(...names: readonly (string | undefined)[]): string {
  try {
    return process.cwd()
  } catch (error) {
    if (names.every((name) => name === undefined || isAbsolute(name))) return '/'
    throw error
  }
}
