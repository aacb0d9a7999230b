import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import {
  PickleEndsEarly,
  limitsFor,
  idOf,
  readPickle,
  type PickleNode,
} from '../../../../src/core/formats/pickle/index.js'
import { keyText, PythonValues } from '../../../../src/core/formats/python/pickle-values.js'

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'))
const read = (base64: string): PickleNode => readPickle(bytesOf(base64)).value
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))
const instance = { states: [], items: [], entries: [] }

/** `{'k': ('é', b'\xff', 2**70, -1.5, True, None, [], {}, (1, 2, 3), 300, 70000, -3)}` by CPython, protocols 0 to 5. */
const written: [protocol: number, base64: string][] = [
  [
    0,
    'KGRwMApWawpwMQooVukKcDIKY19jb2RlY3MKZW5jb2RlCnAzCihW/wpwNApWbGF0aW4xCnA1CnRwNgpScDcKTDExODA1OTE2MjA3MTc0MTEzMDM0MjRMCkYtMS41CkkwMQpOKGxwOAooZHA5CihJMQpJMgpJMwp0cDEwCkkzMDAKSTcwMDAwCkktMwp0cDExCnMu',
  ],
  [
    1,
    'fXEAWAEAAABrcQEoWAIAAADDqXECY19jb2RlY3MKZW5jb2RlCnEDKFgCAAAAw79xBFgGAAAAbGF0aW4xcQV0cQZScQdMMTE4MDU5MTYyMDcxNzQxMTMwMzQyNEwKR7/4AAAAAAAASTAxCk5dcQh9cQkoSwFLAksDdHEKTSwBSnARAQBK/f///3RxC3Mu',
  ],
  [
    2,
    'gAJ9cQBYAQAAAGtxAShYAgAAAMOpcQJjX2NvZGVjcwplbmNvZGUKcQNYAgAAAMO/cQRYBgAAAGxhdGluMXEFhnEGUnEHigkAAAAAAAAAAEBHv/gAAAAAAACITl1xCH1xCUsBSwJLA4dxCk0sAUpwEQEASv3///90cQtzLg==',
  ],
  [
    3,
    'gAN9cQBYAQAAAGtxAShYAgAAAMOpcQJDAf9xA4oJAAAAAAAAAABAR7/4AAAAAAAAiE5dcQR9cQVLAUsCSwOHcQZNLAFKcBEBAEr9////dHEHcy4=',
  ],
  [4, 'gASVQwAAAAAAAAB9lIwBa5QojALDqZRDAf+UigkAAAAAAAAAAEBHv/gAAAAAAACITl2UfZRLAUsCSwOHlE0sAUpwEQEASv3///90lHMu'],
  [5, 'gAWVQwAAAAAAAAB9lIwBa5QojALDqZRDAf+UigkAAAAAAAAAAEBHv/gAAAAAAACITl2UfZRLAUsCSwOHlE0sAUpwEQEASv3///90lHMu'],
]

describe('a pickle', () => {
  it.each(written)('of protocol %i is read as data', (protocol, base64) => {
    const ff: PickleNode =
      protocol >= 3
        ? { kind: 'bytes', bytes: Uint8Array.of(255) }
        : {
            ...instance,
            kind: 'call',
            callee: { kind: 'global', module: '_codecs', name: 'encode' },
            args: { kind: 'tuple', items: ['ÿ', 'latin1'] },
            keywords: null,
          }
    const triple: PickleNode = { kind: 'tuple', items: [1n, 2n, 3n] }
    const list: PickleNode = { kind: 'list', items: [] }
    const dict: PickleNode = { kind: 'dict', entries: [] }
    const items = ['é', ff, 2n ** 70n, -1.5, true, null, list, dict, triple, 300n, 70000n, -3n]
    expect(read(base64)).toEqual({ kind: 'dict', entries: [['k', { kind: 'tuple', items }]] })
  })

  it.each([
    'KGRwMApTJ2snCnAxCihscDIKUyJhJ1xuXHhmZiIKcDMKYVbpXHU2ZjIyCnA0CmFJMwphTDExODA1OTE2MjA3MTc0MTEzMDM0MjRMCmFGMS41CmFJMDEKYShJMQp0cDUKYShpX19tYWluX18KTwpwNgooZHA3ClMnYScKcDgKSTEKc2Jhcy4=',
    'fXEAVQFrcQFdcQIoVQRhJwr/cQNYBQAAAMOp5ryicQRLA0wxMTgwNTkxNjIwNzE3NDExMzAzNDI0TApHP/gAAAAAAABJMDEKKEsBdHEFKGNfX21haW5fXwpPCnEGb3EHfXEIVQFhcQlLAXNiZXMu',
    'gAJ9cQBVAWtxAV1xAihVBGEnCv9xA1gFAAAAw6nmvKJxBEsDigkAAAAAAAAAAEBHP/gAAAAAAACISwGFcQUoY19fbWFpbl9fCk8KcQZvcQd9cQhVAWFxCUsBc2Jlcy4=',
  ])('of Python 2 keeps its strings as bytes and its old objects', (base64) => {
    const string = (text: string): PickleNode => ({ kind: 'string', bytes: ascii(text) })
    const object: PickleNode = {
      ...instance,
      kind: 'object',
      callee: { kind: 'global', module: '__main__', name: 'O' },
      args: { kind: 'tuple', items: [] },
      keywords: null,
      states: [{ kind: 'dict', entries: [[string('a'), 1n]] }],
    }
    const items = [string("a'\n\xff"), 'é漢', 3n, 2n ** 70n, 1.5, true, { kind: 'tuple', items: [1n] }, object]
    expect(read(base64)).toEqual({ kind: 'dict', entries: [[string('k'), { kind: 'list', items }]] })
  })

  it.each([
    'gAJjX19tYWluX18KQwpxACmBcQF9cQJYAQAAAHhxA0sBc2Iu',
    'gASVHwAAAAAAAACMCF9fbWFpbl9flIwBQ5STlCmBlH2UjAF4lEsBc2Iu',
  ])('of an unknown class is that class by name, with its state', (base64) => {
    expect(read(base64)).toEqual({
      ...instance,
      kind: 'object',
      callee: { kind: 'global', module: '__main__', name: 'C' },
      args: { kind: 'tuple', items: [] },
      keywords: null,
      states: [{ kind: 'dict', entries: [['x', 1n]] }],
    })
  })

  it('appends to a subclass of list', () => {
    expect(read('gAJjX19tYWluX18KTApxACmBcQEoSwFLAmUu')).toMatchObject({ kind: 'object', items: [1n, 2n] })
  })

  it('runs nothing', () => {
    expect(readPickle(ascii("cos\nsystem\n(S'touch pwned'\ntR.")).value).toMatchObject({
      kind: 'call',
      callee: { kind: 'global', module: 'os', name: 'system' },
    })
  })

  it.each(['KGxwMApJMQphZzAKYS4=', 'gAJdcQAoSwFoAGUu', 'gASVCQAAAAAAAABdlChLAWgAZS4='])(
    'may contain itself',
    (base64) => {
      const list = read(base64) as { items: unknown[] }
      expect(list.items[0]).toBe(1n)
      expect(list.items[1]).toBe(list)
    },
  )

  it('keeps persistent ids as data, in the order met', () => {
    const { value, persistents } = readPickle(ascii('(Pfirst\nU\x06secondQl.'))
    expect(persistents.map(idOf)).toEqual(['first', { kind: 'string', bytes: ascii('second') }])
    expect(value).toMatchObject({ items: persistents })
  })

  it('ends behind STOP, where the next may begin', () => {
    const stream = ascii('K\x01.K\x02.')
    const first = readPickle(stream)
    expect(first).toMatchObject({ value: 1n, end: 3 })
    expect(readPickle(stream, first.end)).toMatchObject({ value: 2n, end: 6 })
  })

  it('may hold lone surrogates, as Python lets them through', () => {
    expect(readPickle(Uint8Array.of(0x8c, 4, 0x61, 0xed, 0xa0, 0xbd, 0x2e)).value).toBe('a\ud83d')
  })

  it.each([
    ['K', /^pickle, byte 1: ends early, 1 bytes are needed and 0 are left$/],
    ['K\x01', /^pickle, byte 2: ends early/],
    ['X\xff\xff\xff\x7fabc.', /^pickle, byte 5: ends early, 2147483647 bytes are needed and 4 are left$/],
    ['\x8e\xff\xff\xff\xff\xff\xff\xff\xff.', /ends early/],
    ['T\xff\xff\xff\xff.', /a length of -1 bytes/],
    ['.', /^pickle, byte 0: takes a value from an empty stack$/],
    ['(.', /takes a value from an empty stack/],
    ['t.', /needs a mark, and there is none/],
    ['K\x01\x86.', /needs 2 values on the stack/],
    ['h\x05.', /takes number 5 from the memo, which is not there/],
    ['K\x01K\x02a.', /appends to no list/],
    [')K\x02a.', /appends to a tuple/],
    [')K\x01K\x02s.', /sets keys of no dict/],
    ['}(K\x01u.', /1 values are not key and value pairs/],
    ['}K\x01b.', /gives a state to what has none/],
    ['\x80\x06.', /protocol 6; 0 to 5 are known/],
    ['\x82\x01.', /EXT1 refers to a registry/],
    ['\x97.', /NEXT_BUFFER refers to a buffer outside/],
    ['\x07.', /0x07 is not an opcode/],
    ['\x95\xff\x00\x00\x00\x00\x00\x00\x00.', /ends early, 255 bytes are needed/],
    ['K\x01K\x02\x93.', /names a global by what is not text/],
    ['Ix\n.', /"x" is not an integer/],
    ['F1e\n.', /"1e" is not a number/],
    ['Sx\n.', /a string without its quotes/],
    ['X\x01\x00\x00\x00\xff.', /a text of 1 bytes is not UTF-8/],
  ])('%j is refused', (text, message) => {
    expect(() => readPickle(ascii(text))).toThrow(message)
    expect(() => readPickle(ascii(text))).toThrow(CkptError)
  })

  it.each([
    ['lists', `${']'.repeat(50_000)}${'a'.repeat(49_999)}.`],
    ['lists by marks', `${']('.repeat(50_000)}${'e'.repeat(50_000)}.`],
    ['dicts', `${'}N'.repeat(50_000)}N${'s'.repeat(50_000)}.`],
    ['tuples', `N${'\x85'.repeat(50_000)}.`],
    ['frozensets', `${'('.repeat(50_000)}${'\x91'.repeat(50_000)}.`],
    ['calls', `ca\nb\n${'ca\nb\n'.repeat(50_000)}${'R'.repeat(50_000)}.`],
    ['calls of what calls gave', `ca\nb\n${')R'.repeat(50_000)}.`],
    ['keywords', `ca\nb\n${')}\x92'.repeat(50_000)}.`],
    ['states', `${'ca\nb\n)R'.repeat(50_000)}${'b'.repeat(49_999)}.`],
    ['persistent ids', `N${'Q'.repeat(50_000)}.`],
  ])('of %s within each other is refused as soon as they are deeper than any writer goes', (_, text) => {
    expect(() => readPickle(ascii(text), 0, { opcodes: 1e6, words: 1e8 })).toThrow('builds more than 20000 levels')
  })

  it('nested 19,000 deep takes no stack', () => {
    const value = readPickle(ascii(`${']'.repeat(19_000)}${'a'.repeat(18_999)}.`)).value
    expect(value).toMatchObject({ kind: 'list' })
  })

  it('may take the more, the larger its file is: a packed bomb is a small file, a million entries are not', () => {
    // In parts of a thousand, as Python writes a long list.
    const text = ascii(`]${`(${'K\x01'.repeat(1000)}e`.repeat(4000)}.`)
    expect(readPickle(text).value).toMatchObject({ kind: 'list' })
    expect(() => readPickle(text, 0, limitsFor(10_000))).toThrow('what it builds takes more than 40')
    const nothing = ascii(`${'N0'.repeat(3_000_000)}N.`)
    expect(readPickle(nothing).value).toBeNull()
    expect(() => readPickle(nothing, 0, limitsFor(10_000))).toThrow('more than 4010000 opcodes')
  })

  it('that names a class by ten thousand characters is refused', () => {
    expect(() => readPickle(ascii(`c${'a'.repeat(10_000)}\nb\n.`))).toThrow(
      'names a class or function by 10001 characters',
    )
  })

  it('gives every class and function once, however often it is named', () => {
    const { value, calls } = readPickle(ascii('(ca\nb\nca\nb\nca\nc\nl.'))
    expect(calls.globals).toEqual([
      { kind: 'global', module: 'a', name: 'b' },
      { kind: 'global', module: 'a', name: 'c' },
    ])
    expect(value).toMatchObject({ items: [calls.globals[0], calls.globals[0], calls.globals[1]] })
  })

  it.each([
    ['I00\n', false],
    ['I01\n', true],
    ['I0\n', 0n],
    ['I1\n', 1n],
    ['I001\n', 1n],
    ['I-7\n', -7n],
    ['I12345678\n', 12_345_678n],
    ['L123456789012L\n', 123_456_789_012n],
  ])('has %j as Python reads it', (line, expected) => {
    expect(readPickle(ascii(`${line}.`)).value).toBe(expected)
  })

  it('has texts with lone surrogates among others, and no other bytes that are not UTF-8', () => {
    const text = (...bytes: number[]) => Uint8Array.of(0x8c, bytes.length, ...bytes, 0x2e)
    expect(readPickle(text(0xed, 0x9f, 0xbf, 0xed, 0xa0, 0xbd, 0x61, 0xed, 0xb8, 0x80)).value).toBe(
      '\ud7ff\ud83da\ude00',
    )
    expect(() => readPickle(text(0xed, 0xa0, 0xbd, 0xff))).toThrow('not UTF-8')
    expect(() => readPickle(text(0x61, 0xed, 0xa0))).toThrow('not UTF-8')
  })

  it('with a key that holds itself ends like any other value', () => {
    // d = {}; t = (d,); d[t] = d, which Python could not hash.
    const { value } = readPickle(ascii('}q\x00(h\x00tq\x01h\x00s.'))
    expect(new PythonValues().value(value)).toMatchObject({ kind: 'dict' })
    expect(keyText(value).text.length).toBeLessThanOrEqual(1000)
  })

  it('is bounded in opcodes', () => {
    const limits = { opcodes: 1000, words: Infinity }
    expect(() => readPickle(ascii(`${'N0'.repeat(600)}.`), 0, limits)).toThrow('more than 1000 opcodes')
  })

  it.each([
    ['lists', ']'.repeat(5000)],
    ['the stack', 'N'.repeat(20_000)],
    ['copies of the top', `N${'2'.repeat(20_000)}`],
    ['marks', '('.repeat(20_000)],
    ['the memo', `N${'\x94'.repeat(20_000)}`],
    ['items', `]${`(${'N'.repeat(1000)}e`.repeat(20)}`],
    ['pairs', `}${'NNs'.repeat(5000)}`],
    ['pairs that are set at once', `}(${'NN'.repeat(1200)}u`],
    ['numbers', `]${'G........a'.repeat(5000)}`],
    ['texts', `]${'\x8c\x01xa'.repeat(5000)}`],
  ])('is bounded in the memory that %s take', (_, opcodes) => {
    const limits = { opcodes: 100_000, words: 10_000 }
    expect(() => readPickle(ascii(`${opcodes}.`), 0, limits)).toThrow('what it builds takes more than 80000 bytes')
  })

  it('that was mutated anywhere is a CkptError or a value', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...written),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (sample, changes) => {
          const bytes = bytesOf(sample[1])
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          try {
            readPickle(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(CkptError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('that was cut anywhere ends early', () => {
    for (const [, base64] of written) {
      const bytes = bytesOf(base64)
      for (let length = 0; length < bytes.length; length++) {
        expect(() => readPickle(bytes.subarray(0, length))).toThrow(PickleEndsEarly)
      }
    }
  })
})
