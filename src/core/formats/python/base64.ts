/** Base64 as Python's `base64.decodebytes` reads it: what is not a base64 character is skipped, padding must be whole. */
import { FormatError } from '../../errors.js'

const wellFormed = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Throws FormatError where Python raises binascii.Error. */
export function decodeBase64(text: string): Uint8Array {
  const digits = wellFormed.test(text) ? text : text.replace(/[^A-Za-z0-9+/=]/g, '')
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
