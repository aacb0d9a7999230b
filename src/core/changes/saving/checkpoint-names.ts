/** What a checkpoint's files and names may be called. Source: speechbrain/utils/checkpoints.py. */
import { CkptError } from '../../errors.js'

export const metaFile = 'CKPT.yaml'
const paramSuffix = '.ckpt'
const prefix = 'CKPT+'

/** Bytes of a name that Linux and macOS take. */
const longestName = 255

/** The name of the file of that key. Throws CkptError `usage` for a key that cannot be one. */
export function fileNameOf(key: string): string {
  return checked(key, `${key}${paramSuffix}`, 'a key')
}

/** The checkpoint's name: the custom one, else by time and number. Throws CkptError `usage`. */
export function nameOf({ name, stamp }: { name?: string | undefined; stamp: string }, number = 0): string {
  return name === undefined ? stampedName(stamp, number) : customName(name)
}

function customName(name: string): string {
  return checked(name, `${prefix}${name}`, 'a name')
}

/** `stamp` is the local time, `2024-01-31+23-59-59`. */
function stampedName(stamp: string, number: number): string {
  return checked(stamp, `${prefix}${stamp}+${String(number).padStart(2, '0')}`, 'a time stamp')
}

function checked(text: string, name: string, what: string): string {
  const wrong =
    text === ''
      ? 'must not be empty'
      : /[/\0]/.test(text)
        ? 'must hold neither / nor a zero byte'
        : Buffer.byteLength(name) > longestName
          ? `makes a name of ${Buffer.byteLength(name)} bytes, and at most ${longestName} are possible`
          : null
  if (wrong === null) return name
  throw new CkptError('usage', `${what} ${wrong}: ${JSON.stringify(text)}`)
}
