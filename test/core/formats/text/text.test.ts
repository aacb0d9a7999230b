import { expect, it } from 'vitest'
import { byteText } from '../../../../src/core/formats/text/text.js'

it('a byte is the character of its number, whatever a runtime takes latin1 for', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  expect(Array.from(byteText(bytes), (character) => character.charCodeAt(0))).toEqual([...bytes])
  expect(byteText(bytes.subarray(0x61, 0x64))).toBe('abc')
})
