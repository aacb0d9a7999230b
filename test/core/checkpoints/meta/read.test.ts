import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { OpaqueValue, type Meta } from '../../../../src/core/checkpoint.js'
import { FormatError } from '../../../../src/core/errors.js'
import { readMetas } from '../../../../src/core/checkpoints/meta/index.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

async function meta(text: string): Promise<Meta> {
  const [answer] = await readMetas([bytesOf(text)])
  if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer')
  return answer
}

async function wrong(bytes: Uint8Array): Promise<string> {
  const [answer] = await readMetas([bytes])
  return answer instanceof FormatError ? answer.message : 'was read'
}

const fixtures = fileURLToPath(new URL('../../../fixtures/pyyaml/', import.meta.url))
const fixture = (name: string) => meta(readFileSync(fixtures + name, 'utf8'))

describe('a meta file', () => {
  it('has numpy and torch scalars as numbers', async () => {
    expect(Object.fromEntries(await fixture('04.yaml'))).toEqual({
      acc: 0.6173893809318542,
      big: 18446744073709551541n,
      'end-of-epoch': true,
      epoch: 29,
      f1: 0.8681640625,
      m: -89776597,
      n: 931660254662042357n,
      ok: true,
      u: 249,
      unixtime: 1723544753.7539556,
    })
    expect((await fixture('06.yaml')).get('flag')).toBe(true)
    expect((await fixture('06.yaml')).get('loss')).toBe(1.4723157829932991)
    expect((await fixture('09.yaml')).get('tl')).toBeNaN()
  })

  it('has arrays and tensors as nested lists, the larger ones as a summary', async () => {
    expect((await fixture('07.yaml')).get('matrix')).toEqual([
      [0, 21],
      [7, 28],
      [14, 35],
    ])
    expect((await fixture('21.yaml')).get('empty')).toEqual([])
    const data = Buffer.alloc(20_000).toString('base64')
    const text = `a: !!python/object/apply:numpy.core.multiarray._reconstruct
  args: []
  state: !!python/tuple [1, !!python/tuple [200, 100], !!python/object/apply:numpy.dtype {args: [i1, false, true]}, false, !!binary ${data}]
`
    expect((await meta(text)).get('a')).toEqual(new OpaqueValue('numpy.ndarray', '<numpy.ndarray int8 [200, 100]>'))
  })

  it('has dates as ISO text, durations as seconds, bytes as base64, complex numbers as Python prints them', async () => {
    const dates = await fixture('12.yaml')
    expect(dates.get('day')).toBe('2023-05-27')
    expect(dates.get('zone')).toBe('2025-02-03T04:05:06.700000+05:30')
    expect(dates.get('took')).toBe(2 * 86_400 + 28_328 + 5e-6)
    expect((await fixture('19.yaml')).get('raw')).toMatch(/^\/m0LtgjJ.*LQ==$/)
    expect((await fixture('22.yaml')).get('cplx')).toBe('(0.2557339018937266-2j)')
    expect((await fixture('22.yaml')).get('dec')).toEqual(new OpaqueValue('decimal.Decimal', "Decimal('1.50')"))
  })

  it('has keys as str() prints them', async () => {
    expect([...(await fixture('17.yaml')).keys()]).toEqual(['3', '2.5', 'None', 'True'])
    expect([...(await meta('2024-01-02: 1\n1.0: 2\n')).keys()]).toEqual(['2024-01-02', '1.0'])
    expect([...(await meta('__proto__: 1\nconstructor: 2\n')).keys()]).toEqual(['__proto__', 'constructor'])
  })

  it.each(readdirSync(fixtures).filter((name) => name.endsWith('.yaml')))(
    '%s of the fixtures is read',
    async (name) => {
      expect(await fixture(name)).toBeInstanceOf(Map)
    },
  )

  it.each([
    ['', 'empty: 0 bytes'],
    ['\n', 'is empty'],
    ['# yamllint disable\n', 'is empty'],
    ['- 1\n', 'holds a list, not key: value pairs'],
    ['hello\n', 'holds a text, not key: value pairs'],
    ['3\n', 'holds a number, not key: value pairs'],
    ['!!python/tuple [1]\n', 'holds a tuple, not key: value pairs'],
    ['!!python/object:a.B {x: 1}\n', 'holds an object (a.B), not key: value pairs'],
    [
      'WER: 1\nepoch: [1\n',
      'line 3, column 1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ])('that holds %j says what is wrong', async (text, message) => {
    expect(await wrong(bytesOf(text))).toBe(message)
  })

  it('that is not text says where', async () => {
    expect(await wrong(Uint8Array.of(65, 0, 66))).toBe('not text: byte 1 of 3 is zero')
    expect(await wrong(Uint8Array.of(97, 58, 32, 0xc3, 0x28))).toBe('not text: byte 4 of 5 is not UTF-8')
    expect(await wrong(new Uint8Array(1_000_000).fill(0xff))).toBe('not text: byte 0 of 1000000 is not UTF-8')
  })

  it('that is broken says nothing about the others', async () => {
    const answers = await readMetas(['WER: 1\n', '[', 'WER: [2]\n', ''].map(bytesOf))
    expect(answers.map((answer) => (answer instanceof FormatError ? 'broken' : answer.get('WER')))).toEqual([
      1,
      'broken',
      [2],
      'broken',
    ])
  })

  it('may begin with a byte order mark and hold any letter', async () => {
    expect([...(await meta('\uFEFFgenauigkeit ü: 1\n'))]).toEqual([['genauigkeit ü', 1]])
  })
})
