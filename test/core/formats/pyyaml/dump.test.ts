import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import {
  dumpPyYaml,
  loadPyYaml,
  parsePyYaml,
  type PyDict,
  type PyValue,
} from '../../../../src/core/formats/pyyaml/index.js'
import { dictOf, pyDicts } from './values.js'

/** What yaml.dump of PyYAML 6.0.3 wrote for these. */
const recorded: readonly (readonly [what: string, value: PyDict, text: string])[] = [
  [
    'keys in order, numbers, booleans and null',
    dictOf({ loss: 15.5, 'end-of-epoch': true, epoch: 3n, note: null, Z: -0, unixtime: 1726577890.1234567 }),
    'Z: -0.0\nend-of-epoch: true\nepoch: 3\nloss: 15.5\nnote: null\nunixtime: 1726577890.1234567\n',
  ],
  [
    'floats as YAML 1.1 reads them',
    dictOf({ a: 1e20, b: 1e-7, c: 1e16, d: 1e15, e: 5e-324, f: NaN, g: Infinity, h: -Infinity, i: 1.5e300 }),
    'a: 1.0e+20\nb: 1.0e-07\nc: 1.0e+16\nd: 1000000000000000.0\ne: 5.0e-324\nf: .nan\ng: .inf\nh: -.inf\ni: 1.5e+300\n',
  ],
  [
    'texts that would not be read as texts in quotes',
    dictOf({
      list: {
        kind: 'list',
        items: ['yes', 'on', 'null', '~', '123', '1.5', '012', '0x1F', '1:30', '2024-01-01', '=', '<<', '', "it's: 1"],
      },
    }),
    "list:\n- 'yes'\n- 'on'\n- 'null'\n- '~'\n- '123'\n- '1.5'\n- '012'\n- '0x1F'\n- '1:30'\n- '2024-01-01'\n- '='\n- '<<'\n- ''\n- 'it''s: 1'\n",
  ],
  [
    'texts that YAML 1.1 takes for texts without quotes',
    dictOf({ a: '1e5', b: '0o7', c: '08', y: 'n', e: "it's", f: 'a#b', g: '-x', h: 'a:b' }),
    "a: 1e5\nb: 0o7\nc: 08\ne: it's\nf: a#b\ng: -x\nh: a:b\ny: n\n",
  ],
  [
    'line feeds doubled in single quotes',
    dictOf({ a: 'a\nb\nc\n', b: '\n\nx' }),
    "a: 'a\n\n  b\n\n  c\n\n  '\nb: '\n\n\n  x'\n",
  ],
  [
    'all but ASCII escaped',
    dictOf({ a: 'caf\xe9', '\u6f22': '\u{1f600}\ufeff\x85\xa0\u2028', c: 'tab\t\\ "q"', d: '\0\x07\x7f' }),
    'a: "caf\\xE9"\nc: "tab\\t\\\\ \\"q\\""\nd: "\\0\\a\\x7F"\n"\\u6F22": "\\U0001F600\\uFEFF\\N\\_\\L"\n',
  ],
  [
    'long texts folded, in each style',
    dictOf({ a: 'word '.repeat(30).trim(), b: `${"it's: ".repeat(20)}x`, c: '\xe9 a'.repeat(30) }),
    'a: word word word word word word word word word word word word word word word word\n  word word word word word word word word word word word word word word\n' +
      "b: 'it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s:\n  it''s: it''s: it''s: it''s: it''s: it''s: it''s: it''s: x'\n" +
      'c: "\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9\\\n  \\ a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9 a\\xE9\\\n  \\ a\\xE9 a\\xE9 a\\xE9 a"\n',
  ],
  [
    'nested maps and lists',
    dictOf({
      m: dictOf({ b: dictOf({ c: 1n }), a: { kind: 'list', items: [1n, { kind: 'list', items: [2n, dictOf({})] }] } }),
      l: { kind: 'list', items: [dictOf({ x: 1n, y: { kind: 'list', items: [true] } }), { kind: 'list', items: [] }] },
    }),
    'l:\n- x: 1\n  y:\n  - true\n- []\nm:\n  a:\n  - 1\n  - - 2\n    - {}\n  b:\n    c: 1\n',
  ],
  [
    'long, empty and multi-line keys behind a question mark',
    dictOf({ [`k${'x'.repeat(122)}`]: 1n, '': 2n, 'a\nb': dictOf({ c: 3n }) }),
    `? ''\n: 2\n? 'a\n\n  b'\n: c: 3\n? k${'x'.repeat(122)}\n: 1\n`,
  ],
  [
    'keys that are not texts',
    {
      kind: 'dict',
      pairs: [
        [10n, 1n],
        [1.5, 2n],
        [true, 3n],
      ],
    },
    'true: 3\n1.5: 2\n10: 1\n',
  ],
  [
    'dates, times, bytes and sets',
    dictOf({
      a: { kind: 'date', year: 2024, month: 1, day: 2 },
      b: {
        kind: 'datetime',
        year: 2024,
        month: 1,
        day: 2,
        hour: 3,
        minute: 4,
        second: 5,
        microsecond: 678,
        offset: 330,
      },
      c: { kind: 'bytes', bytes: new Uint8Array(60).fill(255) },
      d: { kind: 'set', items: ['x'] },
      e: { kind: 'bytes', bytes: new Uint8Array() },
      f: { kind: 'list', items: [{ kind: 'set', items: [1n] }] },
    }),
    `a: 2024-01-02\nb: 2024-01-02 03:04:05.000678+05:30\nc: !!binary |\n  ${'/'.repeat(76)}\n  ////\nd: !!set\n  x: null\ne: !!binary ""\nf:\n- !!set\n  1: null\n`,
  ],
  ['integers of any size', dictOf({ a: 1180591620717411303424n, b: -7n }), 'a: 1180591620717411303424\nb: -7\n'],
  ['nothing', dictOf({}), '{}\n'],
]

describe('dumpPyYaml', () => {
  it.each(recorded)('writes %s as yaml.dump does', async (_, value, text) => {
    expect(dumpPyYaml(value)).toBe(text)
    expect(sorted(await parsePyYaml(text))).toEqual(sorted(value))
  })

  it('writes what reads back as the same values', async () => {
    const parse = await loadPyYaml()
    fc.assert(
      fc.property(pyDicts, (value) => {
        const text = dumpPyYaml(value)
        expect(text).toMatch(/^[\n\x20-\x7e]*$/)
        expect(sorted(parse(text))).toEqual(sorted(value))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses what a safe loader would not read back', () => {
    const values: PyValue[] = [
      { kind: 'tuple', items: [] },
      { kind: 'complex', real: 1, imaginary: 2 },
      { kind: 'opaque', name: 'decimal.Decimal', repr: '' },
      10n ** 5000n,
    ]
    for (const value of values) expect(() => dumpPyYaml(dictOf({ value }))).toThrow(CkptError)
  })

  it('refuses what is nested without end', () => {
    let value: PyValue = null
    for (let depth = 0; depth < 200; depth += 1) value = { kind: 'list', items: [value] }
    expect(() => dumpPyYaml(dictOf({ value }))).toThrow('deeper than 100')
  })
})

/** Python's dicts and sets are equal whatever their order. */
function sorted(value: PyValue): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : value
  if ('items' in value) {
    const items = value.items.map(sorted)
    return { ...value, items: value.kind === 'set' ? items.sort(byText) : items }
  }
  if ('pairs' in value) return { ...value, pairs: value.pairs.map((pair) => pair.map(sorted)).sort(byText) }
  return value
}

function byText(a: unknown, b: unknown): number {
  return textOf(a) < textOf(b) ? -1 : 1
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))
}
