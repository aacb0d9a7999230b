/** Pickles of protocol 0 and 1, which begin with no sign of their own. */
import { FormatError } from '../../errors.js'
import { PickleEndsEarly } from './input.js'
import { mayBeginPickle, readUntilItBreaks } from './machine.js'

/** True where `head`, of a file of `size` bytes, is read as a pickle to its end. */
export function isReadAsPickle(head: Uint8Array, size: number): boolean {
  if (!mayBeginPickle(head)) return false
  const { read } = readUntilItBreaks(head)
  return !(read instanceof FormatError) || (read instanceof PickleEndsEarly && size > head.length)
}
