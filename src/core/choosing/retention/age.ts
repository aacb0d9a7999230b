/** Ages as flags take them: a number with a unit of time. */
import { CkptError } from '../../errors.js'
import { parseDuration } from '../expression/index.js'

/** Seconds of a flag's duration. Throws CkptError `usage`. */
export function parseAge(flag: string, text: string): number {
  const seconds = parseDuration(text.trim())
  if (seconds !== undefined && Number.isFinite(seconds)) return seconds
  throw new CkptError('usage', `--${flag} takes a duration, not ${JSON.stringify(text)}`, {
    hint: `durations end in s, m, h, d or w: --${flag} 2d`,
  })
}
