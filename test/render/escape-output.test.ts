import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { painter, ownStyles } from '../../src/render/colours.js'
import { toJson } from '../../src/render/json.js'
import { shown } from '../../src/render/escape-output.js'

/** What a terminal obeys, or what changes the order of what is read. */
const obeyed =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u{e0001}-\u{e007f}]|\p{Cs}/u
const wild = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\u001b', '[', '3', '1', 'm', ';', '\n', '\t', '\u009b', '\u202e', '\u061c', '\u{e0041}', '\ud800'),
    fc.string({ unit: 'grapheme', maxLength: 1 }),
  ),
})

describe('what leaves the program', () => {
  it('holds nothing that a terminal obeys, whatever text it is', () => {
    fc.assert(fc.property(wild, (text) => !obeyed.test(shown(text))))
  })

  it('is the same when it passes twice, and keeps what is readable', () => {
    fc.assert(fc.property(wild, (text) => shown(shown(text)) === shown(text)))
    expect(shown('検証 é\n\tx 😀')).toBe('検証 é\n\tx 😀')
  })

  it('keeps our own styles, and no style of a text', () => {
    const paint = painter(true)
    expect(shown(`${paint('bad', 'error:')} a\u001b[31mb\u001b[0;1234;5678;9012mc`)).toBe(
      '\u001b[31merror:\u001b[39m a\\e[31mb\\e[0;1234;5678;9012mc',
    )
    expect(shown(paint('title', 'a\u001b]0;t\u0007'))).toBe('\u001b[1ma\\e]0;t\\x07\u001b[22m')
  })

  it('a style of a library becomes ours where it is said to be', () => {
    expect(shown(ownStyles('\u001b[1mNAME\u001b[22m'))).toBe('\u001b[1mNAME\u001b[22m')
  })
})

describe('a document', () => {
  it('escapes what JSON would leave, and reads back as it was', () => {
    fc.assert(
      fc.property(wild, wild, (key, value) => {
        const text = toJson({ [`k${key}`]: value, list: [value] })
        expect(text).not.toMatch(obeyed)
        expect(JSON.parse(text)).toEqual({ [`k${key}`]: value, list: [value] })
      }),
    )
  })

  it('escapes C1 controls, DEL and changes of direction', () => {
    expect(toJson('\u009b31m\u007f\u202e\u2066\u{e0041}')).toBe('"\\u009b31m\\u007f\\u202e\\u2066\\udb40\\udc41"')
  })
})
