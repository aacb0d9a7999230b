import { FormatError } from '../../../errors.js'

export function brokenZstd(why: string): FormatError {
  return new FormatError(`zstd: ${why}`)
}
