import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../../src/core/errors.js'
import { parseJson, type JsonValue } from '../../../../src/core/formats/text/json.js'

describe('JSON as Python writes it', () => {
  it('may hold NaN and infinities', () => {
    expect(parseJson('{"loss": NaN, "best": -Infinity, "worst": Infinity}')).toEqual(
      new Map([
        ['loss', NaN],
        ['best', -Infinity],
        ['worst', Infinity],
      ]),
    )
  })

  it('has integers of any length', () => {
    expect(parseJson('[9007199254740991, 9007199254740993, -18446744073709551616, 1e3, 1.0, -0, -0.0]')).toEqual([
      9007199254740991,
      9007199254740993n,
      -18446744073709551616n,
      1000,
      1,
      0,
      -0,
    ])
  })

  it('has keys that are data, the last of equal ones counts, and their order stays', () => {
    const object = parseJson('{"10": 1, "__proto__": {"x": 2}, "2": 3, "10": 4}')
    expect([...(object as Map<string, JsonValue>)]).toEqual([
      ['10', 4],
      ['__proto__', new Map([['x', 2]])],
      ['2', 3],
    ])
  })

  it('has the strings that JSON.parse reads', () => {
    const text = String.raw`"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é"`
    expect(parseJson(text)).toBe(JSON.parse(text))
    expect(parseJson(Buffer.from('"é"'))).toBe('é')
  })

  it('agrees with JSON.parse on all that both know', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 2), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent)
        expect(plain(parseJson(spaced))).toEqual(
          JSON.parse(spaced, (_key, value: unknown) => (Object.is(value, -0) ? 0 : value)),
        )
      }),
    )
  })

  it('refuses whatever JSON.parse refuses, and tells where', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', 'x', '\\'), (text, at, put) => {
        const broken = text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1)
        if (isJson(broken)) return
        try {
          parseJson(broken)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
          expect((error as FormatError).message).toMatch(/^JSON, line \d+, column \d+: [^\n]+$/)
          return
        }
        throw new Error(`was read: ${broken}`)
      }),
    )
  })

  it.each([
    ['', 'JSON, line 1, column 1: expected a value, but the text is empty; the text ends there, after 0 characters'],
    ['{"a": 1,\n "b": }', 'JSON, line 2, column 7: expected a value; found "}"'],
    ['{"a": 1', 'JSON, line 1, column 8: expected "," or "}" in an object; the text ends there, after 7 characters'],
    ['[1] x', 'JSON, line 1, column 5: expected the end of the text; found "x"'],
    ['[01]', 'JSON, line 1, column 3: expected "," or "]" in an array; found "1]"'],
    ["{'a': 1}", 'JSON, line 1, column 2: expected a key in double quotes; found "\'a\': 1}"'],
  ])('%j is reported with line and column', (text, message) => {
    expect(() => parseJson(text)).toThrow(message)
  })

  it('is bounded in depth and in digits', () => {
    expect(() => parseJson('['.repeat(100_000))).toThrow('nested deeper than 512 levels')
    expect(() => parseJson('9'.repeat(5000))).toThrow('an integer of 5000 digits')
    expect(parseJson('['.repeat(512) + ']'.repeat(512))).toHaveLength(1)
  })

  it('is bounded in what it takes in memory, which its length gives', () => {
    const times = (text: string, count: number) => `[${`${text},`.repeat(count)}0]`
    expect(() => parseJson(times('{"":0}', 200_000))).toThrow(
      /what it describes takes more than \d+ bytes, the most for/,
    )
    expect(() => parseJson(times('[0]', 200_000))).toThrow('what it describes takes more than')
    expect(parseJson(times('{}', 1_000_000))).toHaveLength(1_000_001)
    const line = '{"key_metadata": [{"key": "params", "key_type": 2}], "value_metadata": {"value_type": "jax.Array"}}'
    expect(parseJson(times(line, 20_000))).toHaveLength(20_001)
    expect(parseJson(`"${String.raw`\n`.repeat(100_000)}"`)).toBe('\n'.repeat(100_000))
  })

  it('has no more keys than are wanted', () => {
    const keys = (count: number) =>
      JSON.stringify([Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))])
    expect(() => parseJson(keys(101), { keys: 100 })).toThrow('has more than 100 keys; at most that many are read')
    expect(parseJson(keys(100), { keys: 100 })).toHaveLength(1)
  })

  it('must be UTF-8', () => {
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('JSON: the bytes are not UTF-8')
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as JsonValue)]))
  if (Array.isArray(value)) return value.map((item) => plain(item as JsonValue))
  return typeof value === 'bigint' ? Number(value) : value
}
