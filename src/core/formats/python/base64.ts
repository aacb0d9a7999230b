/** Base64 as Python's `base64.decodebytes` reads it: what is not a base64 character is skipped, padding must be whole. */
import { FormatError } from '../../errors.js'

/** One class and no group: V8 keeps a place to go back to for each repetition of a group, and has no room for a million. */
const others = /[^A-Za-z0-9+/=]+/g

/** Throws FormatError where Python raises binascii.Error. */
export function decodeBase64(text: string): Uint8Array {
  const digits = text.replace(others, '')
  const padding = digits.indexOf('=')
  const body = padding === -1 ? digits : digits.slice(0, padding)
  if (body.length % 4 === 1) {
    throw new FormatError(`base64 text of ${body.length} characters; one more than a multiple of 4 cannot be`)
  }
  if (body.length % 4 !== 0 && !hasPadding(digits.slice(body.length), body.length % 4)) {
    throw new FormatError(`base64 text ends early: the padding after ${body.length} characters is missing`)
  }
  return Uint8Array.from(Buffer.from(body, 'base64'))
}

function hasPadding(rest: string, over: number): boolean {
  return rest.startsWith(over === 2 ? '==' : '=')
}
