import { describe, expect, it } from 'vitest'
import { loadPyYaml, parsePlain, parsePyYaml, type PyDict } from '../../../../src/core/formats/pyyaml/index.js'
import { asOracle } from './oracle.js'

const parse = await loadPyYaml()

/** What PyYAML 6.0.3 gave for `k: TEXT`. */
const scalars: [text: string, type: string, value: unknown][] = [
  ['1e5', 'str', '1e5'],
  ['1.5e3', 'str', '1.5e3'],
  ['1.5e+3', 'float', '1500.0'],
  ['1.', 'float', '1.0'],
  ['-.5', 'str', '-.5'],
  ['.5', 'float', '0.5'],
  ['1_0.5_0', 'float', '10.5'],
  ['014', 'int', '12'],
  ['08', 'str', '08'],
  ['0o14', 'str', '0o14'],
  ['0b101', 'int', '5'],
  ['-0x1F', 'int', '-31'],
  ['1_000', 'int', '1000'],
  ['1:30', 'int', '90'],
  ['190:20:30.15', 'float', '685230.15'],
  ['-0', 'int', '0'],
  ['+5', 'int', '5'],
  ['1180591620717411303424', 'int', '1180591620717411303424'],
  ['2001-1-4', 'str', '2001-1-4'],
  ['2024-01-02', 'date', '2024-01-02'],
  ['2024-1-2 3:04:05', 'datetime', '2024-01-02T03:04:05'],
  ['2024-01-02T03:04:05.0006789Z', 'datetime', '2024-01-02T03:04:05.000678+00:00'],
  ['2024-01-02 03:04:05 -5', 'datetime', '2024-01-02T03:04:05-05:00'],
  ['y', 'str', 'y'],
  ['n', 'str', 'n'],
  ['On', 'bool', true],
  ['NO', 'bool', false],
  ['yEs', 'str', 'yEs'],
  ['.NaN', 'float', 'nan'],
  ['-.nan', 'str', '-.nan'],
  ['+.inf', 'float', 'inf'],
  ['!!float 1e5', 'float', '100000.0'],
  ['!!str 12', 'str', '12'],
  ['! "12"', 'int', '12'],
]

describe('a scalar', () => {
  it.each(scalars)('%s is the %s that PyYAML makes of it', (text, type, value) => {
    const document = `k: ${text}\n`
    const wanted = {
      type: 'dict',
      pairs: [
        [
          { type: 'str', value: 'k' },
          { type, value },
        ],
      ],
    }
    expect(asOracle(parse(document))).toEqual(wanted)
    const plain = parsePlain(document)
    if (plain !== undefined) expect(asOracle(plain)).toEqual(wanted)
  })

  it.each(['~', 'null', 'Null', 'NULL', ''])('%j is None', async (text) => {
    expect(await parsePyYaml(`k: ${text}\n`)).toEqual({ kind: 'dict', pairs: [['k', null]] })
  })

  it.each(['', '# only a comment\n', '---\n'])('a text that holds nothing (%j) is None', async (text) => {
    expect(await parsePyYaml(text)).toBeNull()
  })
})

describe('keys', () => {
  const pairsOf = (text: string) => (parse(text) as PyDict).pairs

  it('that come twice keep the first place and the last value', () => {
    expect(pairsOf('a: [1]\nb: 2\na: 3\n')).toEqual([
      ['a', 3n],
      ['b', 2n],
    ])
  })

  it('that are equal in Python are one key', () => {
    expect(pairsOf("1: [a]\n1.0: b\ntrue: c\n'1': d\n")).toEqual([
      [1n, 'c'],
      ['1', 'd'],
    ])
  })

  it('may be an alias without a blank before the colon, as PyYAML writes it', () => {
    expect(pairsOf("a: &id001 !!python/tuple [1]\n*id001: '*id001: x'\n")).toEqual([
      ['a', { kind: 'tuple', items: [1n] }],
      [{ kind: 'tuple', items: [1n] }, '*id001: x'],
    ])
  })

  it('are merged as PyYAML merges: its own win, then the first of several', () => {
    expect(pairsOf('a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}\n')[2]).toEqual([
      'c',
      {
        kind: 'dict',
        pairs: [
          ['x', 1n],
          ['z', 2n],
          ['y', 3n],
        ],
      },
    ])
  })
})

/** What `yaml.dump` wrote for Python values, and Python's repr of them. */
const objects: [text: string, repr: string][] = [
  ["!!python/object/apply:decimal.Decimal\n- '1.50'", "Decimal('1.50')"],
  ['!!python/object/apply:pathlib.PosixPath\n- /\n- a\n- b', "PosixPath('/a/b')"],
  ['!!python/object/apply:pathlib.PurePosixPath []', "PurePosixPath('.')"],
  ['!!python/object/apply:pathlib.PureWindowsPath\n- c:\\\n- a', "PureWindowsPath('c:/a')"],
  ['!!python/object/apply:fractions.Fraction\n- 3\n- 4', 'Fraction(3, 4)'],
  ['!!python/object/apply:builtins.range\n- 0\n- 3\n- 1', 'range(0, 3)'],
  ['!!python/object/apply:builtins.slice\n- 1\n- 2\n- null', 'slice(1, 2, None)'],
  ['!!python/object/apply:datetime.time\n- !!binary |\n  AwQFAAAG', 'datetime.time(3, 4, 5, 6)'],
  [
    '!!python/object/apply:datetime.timezone\n- !!python/object/apply:datetime.timedelta\n  - 0\n  - 0\n  - 0',
    'datetime.timezone.utc',
  ],
  [
    '!!python/object/apply:numpy.dtype\n  args:\n  - f4\n  - false\n  - true\n  state: !!python/tuple [3, <, null, null, null, -1, -1, 0]',
    "dtype('float32')",
  ],
  ['!!python/object/apply:torch.device\n- cuda\n- 0', "device(type='cuda', index=0)"],
  ["!!python/name:torch.float32 ''", '<torch.float32>'],
  ["!!python/module:yaml ''", "<module 'yaml'>"],
  ['!!python/object:__main__.State\n  x: 1', '<__main__.State>'],
  ['!unknown {a: 1}', '<!unknown>'],
]

describe('a Python object', () => {
  it.each(objects)('%j keeps its name and shows as Python shows it', (text, repr) => {
    expect(asOracle(parse(`k: ${text}\n`))).toMatchObject({ pairs: [[{ value: 'k' }, { type: 'opaque', repr }]] })
  })

  it.each([
    ['!!python/object/apply:collections.Counter\n- a: 2', { kind: 'dict', pairs: [['a', 2n]] }],
    [
      "!!python/object/apply:collections.defaultdict\n  args:\n  - !!python/name:builtins.int ''\n  dictitems:\n    a: 1",
      { kind: 'dict', pairs: [['a', 1n]] },
    ],
    ['!!python/object/apply:collections.OrderedDict\n- - - a\n    - 1', { kind: 'ordereddict', pairs: [['a', 1n]] }],
    ['!!python/object/apply:builtins.bytearray\n- ÿa\n- latin-1', { kind: 'bytes', bytes: Uint8Array.of(255, 97) }],
    [
      '!!python/object/apply:datetime.timedelta\n- 0\n- -1\n- 0',
      { kind: 'timedelta', days: -1, seconds: 86_399, microseconds: 0 },
    ],
    ["!!python/complex '-0.5-2.0j'", { kind: 'complex', real: -0.5, imaginary: -2 }],
    ["!!python/complex 'nan+infj'", { kind: 'complex', real: NaN, imaginary: Infinity }],
    ['!!set {b: null, a: null}', { kind: 'set', items: ['b', 'a'] }],
    [
      '!!omap [a: 1, b: 2]',
      {
        kind: 'list',
        items: [
          { kind: 'tuple', items: ['a', 1n] },
          { kind: 'tuple', items: ['b', 2n] },
        ],
      },
    ],
    ['!!binary ""', { kind: 'bytes', bytes: new Uint8Array() }],
  ])('%j becomes data', (text, value) => {
    expect(parse(`k: ${text}\n`)).toEqual({ kind: 'dict', pairs: [['k', value]] })
  })
})

describe('a numpy scalar', () => {
  const scalar = (code: string, order: string, bytes: number[]) => {
    const data = Buffer.from(bytes).toString('base64')
    const state = `!!python/tuple [3, '${order}', null, null, null, -1, -1, 0]`
    return parse(
      `k: !!python/object/apply:numpy.core.multiarray.scalar\n- !!python/object/apply:numpy.dtype\n  args: [${code}, false, true]\n  state: ${state}\n- !!binary ${data}\n`,
    )
  }

  it.each([
    ['f2', '<', [0x00, 0x3c], 'float16', 1],
    ['f2', '>', [0x00, 0x01], 'float16', 2 ** -24],
    ['f4', '>', [0x3f, 0x80, 0, 0], 'float32', 1],
    ['f8', '<', [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], 'float64', NaN],
    ['i1', '|', [0xfb], 'int8', -5n],
    ['u2', '>', [0x01, 0x02], 'uint16', 258n],
    ['i8', '<', [255, 255, 255, 255, 255, 255, 255, 127], 'int64', 2n ** 63n - 1n],
    ['u8', '<', [255, 255, 255, 255, 255, 255, 255, 255], 'uint64', 2n ** 64n - 1n],
    ['b1', '|', [1], 'bool', true],
    ['c8', '<', [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], 'complex64', { real: 1, imaginary: -2 }],
    ['U2', '<', [0xe9, 0, 0, 0, 0, 0, 0, 0], '<U2', 'é'],
    ['U1', '>', [0, 1, 0xf6, 0], '<U1', '\u{1F600}'],
    ['S3', '|', [97, 98, 0], '|S3', Uint8Array.of(97, 98)],
  ])('%s in order %s is read', (code, order, bytes, dtype, value) => {
    expect(scalar(code, order, bytes)).toEqual({ kind: 'dict', pairs: [['k', { kind: 'numpy', dtype, value }]] })
  })

  it('of a type without a plain value is named', () => {
    expect(scalar('M8', '<', [0, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({
      pairs: [['k', { kind: 'opaque', name: 'numpy.core.multiarray.scalar' }]],
    })
  })
})
