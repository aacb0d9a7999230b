import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../../src/core/errors.js'
import { loadPyYaml, parsePyYaml } from '../../../../src/core/formats/pyyaml/index.js'

const parse = await loadPyYaml()

describe('a broken text', () => {
  it.each([
    ['a: [1, 2\nb: 3\n', /^line 2, column 1: Flow sequence .* end with a \]$/],
    ["WER: 1\na: 'x\nb: 1\n", /^line 4, column 1: Missing closing 'quote$/],
    ['a:\n\tb: 1\n', /^line 2, column 1: Tabs are not allowed as indentation$/],
    ['WER: 1\na: b: c\n', /^line 2, column 4: Nested mappings are not allowed/],
    ['WER 12\nepoch: 3\n', /^line 1, column 1: /],
    ['a: 1\n---\nb: 2\n', /^line 2, column 1: expected the end of the file, but found another document$/],
    ['a: *x\n', /^line 1, column 4: found the alias \*x before its anchor$/],
    ['a: &x 1\nb: &x 2\n', /^line 2, column 7: found the anchor &x a second time$/],
    ['a: 1\nb: \x01\n', /^line 2, column 4: the character U\+0001 is not allowed in YAML$/],
    ['a: 1\nb: 2024-13-01\n', /^line 2, column 4: there is no date 2024-13-01$/],
    ['a: =\n', /^line 1, column 4: a plain = has no value of its own$/],
    ['? [1]\n: 2\n', /a list cannot be a key$/],
    ['a: !!binary "abc"\n', /^line 1, column 13: base64 text ends early/],
    ['a: !!int x\n', /"x" is not an integer$/],
    [`a: ${'9'.repeat(5000)}\n`, /an integer of 5000 digits; at most 4300 are read$/],
    [
      'WER: !!python/object/apply:numpy.core.multiarray.scalar\n- !!python/object/apply:numpy.dty',
      /a numpy scalar without its data$/,
    ],
    [
      'WER: !!python/object/apply:numpy.core.multiarray.scalar\n- !!python/object/apply:numpy.dtype [f8]\n- !!binary QUI=\n',
      /a numpy float64 needs 8 bytes, and has 2$/,
    ],
  ])('%j is reported in one line with its place', async (text, message) => {
    const error: unknown = await parsePyYaml(text).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as FormatError).message).toMatch(message)
    expect((error as FormatError).message).not.toContain('\n')
  })
})

describe('a hostile text', () => {
  const letters = Array.from('abcdefghij')
  const bomb = letters.map(
    (key, at) =>
      `${key}: &${key} [${Array(9)
        .fill(at === 0 ? 'x' : `*${letters[at - 1] ?? ''}`)
        .join(', ')}]`,
  )
  const mergeBomb = letters.map(
    (key, at) =>
      `${key}: &${key} {${
        at === 0
          ? 'x: 1'
          : `<<: [${Array(9)
              .fill(`*${letters[at - 1] ?? ''}`)
              .join(', ')}]`
      }}`,
  )

  it.each([
    ['100,000 brackets', '['.repeat(100_000), 'nested deeper than 256 levels'],
    ['50,000 list marks', '- '.repeat(50_000) + 'a', 'nested deeper than 256 levels'],
    [
      '3,000 levels of maps',
      Array.from({ length: 3000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
      'nested deeper than 256 levels',
    ],
    ['an alias bomb', bomb.join('\n'), 'aliases repeat more than 100000 values'],
    ['a merge bomb', mergeBomb.join('\n'), 'aliases repeat more than 100000 values'],
    ['a map merged into itself', '&a a: &b {<<: *b}', 'merges nested deeper than 100 levels'],
  ])('%s is refused', (_name, text, message) => {
    expect(() => parse(text)).toThrow(message)
    expect(() => parse(text)).toThrow(FormatError)
  })

  it('may have 10,000 keys, each with an anchor, and takes no seconds', { timeout: 10_000 }, () => {
    const text = Array.from({ length: 10_000 }, (_, at) => `k${at}: &a${at} [1]`).join('\n')
    const value = parse(text)
    expect(value).toMatchObject({ kind: 'dict' })
  })

  it('runs nothing: what a tag would call is only named', async () => {
    const value = await parsePyYaml(
      'a: !!python/object/apply:os.system ["touch pwned"]\nb: !!python/name:os.system \'\'\n',
    )
    expect(value).toEqual({
      kind: 'dict',
      pairs: [
        ['a', { kind: 'opaque', name: 'os.system', repr: "system('touch pwned')" }],
        ['b', { kind: 'opaque', name: 'os.system', repr: '<os.system>' }],
      ],
    })
  })

  it('that contains itself ends', async () => {
    expect(await parsePyYaml('a: &x [*x]\n')).toEqual({
      kind: 'dict',
      pairs: [['a', { kind: 'list', items: [{ kind: 'opaque', name: 'itself', repr: '...' }] }]],
    })
  })
})
