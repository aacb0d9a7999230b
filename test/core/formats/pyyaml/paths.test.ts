import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadPyYaml, parsePlain } from '../../../../src/core/formats/pyyaml/index.js'

const parse = await loadPyYaml()

const dtype = `!!python/object/apply:numpy.dtype
  args:
  - f8
  - false
  - true
  state: !!python/tuple
  - 3
  - <
  - null
  - null
  - null
  - -1
  - -1
  - 0`

const key = fc.oneof(
  fc.constantFrom(
    'WER',
    'valid/loss',
    'end-of-epoch',
    'epoch',
    '1',
    '2.5',
    'null',
    'true',
    "'null'",
    '.nan',
    'n',
    '2024-01-01',
  ),
  fc.stringMatching(/^[A-Za-z0-9_.:/#' -]{0,8}$/),
)
const scalar = fc.oneof(
  fc.constantFrom(
    '',
    '1',
    '1.0',
    '-0.0',
    '.nan',
    '1e5',
    '0x1F',
    '014',
    '1:30',
    'yes',
    'n',
    "'yes'",
    '"a b"',
    "'it''s'",
    '{}',
    '[]',
    '~',
    '- 1',
    '? x',
    '# c',
    '1 # c',
    'a: b',
    '2024-01-02',
    '2024-01-02 03:04:05',
    '=',
    '<<',
    '!!str 1',
    '&a 1',
    '*a',
    '|',
    "'open",
  ),
  fc.double().map(String),
  fc.stringMatching(/^[A-Za-z0-9_.:,/#'"[\]{}&*!|>%@`? +-]{0,12}$/),
)
const line = fc.oneof(
  fc
    .tuple(fc.constantFrom('', '', '', '', '  ', '    '), key, scalar)
    .map(([indent, name, value]) => `${indent}${name}: ${value}`),
  fc.tuple(fc.constantFrom('', '', '  '), scalar).map(([indent, value]) => `${indent}- ${value}`),
  fc.constantFrom('', '# a comment', '  # deeper', 'data:', '  inner:', '---', '...', '- - 1', ' '),
  fc
    .constantFrom('', '&id001 ')
    .map(
      (anchor) =>
        `WER: !!python/object/apply:numpy.core.multiarray.scalar\n- ${anchor}${dtype}\n- !!binary |\n  AAAAAAAA+D8=`,
    ),
  fc.constant('CER: !!python/object/apply:numpy._core.multiarray.scalar\n- *id001\n- !!binary |\n  AAAAAAAA+D8='),
)
const document = fc.array(line, { maxLength: 8 }).map((lines) => `${lines.join('\n')}\n`)

describe('the fast path', () => {
  it('gives what the full path gives, or nothing', () => {
    fc.assert(
      fc.property(document, (text) => {
        const plain = parsePlain(text)
        if (plain !== undefined) expect(parse(text)).toEqual(plain)
      }),
      { numRuns: 3000 },
    )
  })

  it('knows the metas that nearly all runs have', () => {
    expect(
      parsePlain('# yamllint disable\nWER: 12.5\ndata:\n  hours: 960\nend-of-epoch: true\nepoch: 3\ntags:\n- a\n- b\n'),
    ).toEqual({
      kind: 'dict',
      pairs: [
        ['WER', 12.5],
        ['data', { kind: 'dict', pairs: [['hours', 960n]] }],
        ['end-of-epoch', true],
        ['epoch', 3n],
        ['tags', { kind: 'list', items: ['a', 'b'] }],
      ],
    })
  })

  it('knows numpy scalars and the dtype that they share', () => {
    const scalarTag = '!!python/object/apply:numpy._core.multiarray.scalar'
    const text = `CER: ${scalarTag}\n- &id001 ${dtype}\n- !!binary |\n  AAAAAAAA+D8=\nWER: ${scalarTag}\n- *id001\n- !!binary |\n  AAAAAAAA+H8=\n`
    expect(parsePlain(text)).toEqual({
      kind: 'dict',
      pairs: [
        ['CER', { kind: 'numpy', dtype: 'float64', value: 1.5 }],
        ['WER', { kind: 'numpy', dtype: 'float64', value: NaN }],
      ],
    })
  })

  it('leaves to the full path whatever is not plain', () => {
    const texts = [
      'a: [1, 2]\n',
      'a: x\n  y\n',
      'a: "\\n"\n',
      'é: 1\n',
      '? a\n: 1\n',
      'a: &x 1\n',
      'a: !!str 1\n',
      '- 1\n',
      'a: 1 # c\n',
      'a: |\n  x\n',
    ]
    for (const text of texts) expect(parsePlain(text), text).toBeUndefined()
  })
})
