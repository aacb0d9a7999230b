import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  average,
  planAverage,
  type AverageOptions,
  type AverageWork,
} from '../../../../src/core/tensors/average/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { floats, floatsIn, readTensors, writeTensors, type Content } from '../transfer/files.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-average-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

/** Writes each list of tensors into a file, and their mean into `out`. */
async function run(
  inputs: readonly (readonly Content[])[],
  options: AverageOptions & Pick<AverageWork, 'onNaN'> & { newest?: number } = {},
) {
  const files = []
  for (const [index, contents] of inputs.entries()) {
    files.push(await openTensors(storage, writeTensors(at(`in${index}`), contents, { from: String(index) })))
  }
  try {
    const newest = files[options.newest ?? files.length - 1]
    if (newest === undefined) throw new Error('no such file')
    const plan = planAverage(files, newest, options)
    await average(
      storage,
      plan,
      { path: at('out'), format: 'safetensors' },
      { force: true, onNaN: options.onNaN ?? (() => undefined) },
    )
  } finally {
    for (const file of files) await file.close()
  }
  return readTensors(at('out'))
}

const doubles = (name: string, values: readonly number[]): Content => ({
  name,
  dtype: 'F64',
  shape: [values.length],
  data: new Uint8Array(Float64Array.from(values).buffer),
})

const bytes = (name: string, dtype: Dtype, ...values: number[]): Content => ({
  name,
  dtype,
  shape: [values.length / (dtype === 'I32' ? 4 : 1)],
  data: Uint8Array.from(values),
})

const longs = (name: string, ...values: bigint[]): Content => ({
  name,
  dtype: 'I64',
  shape: [values.length],
  data: new Uint8Array(BigInt64Array.from(values).buffer),
})

describe('the mean', () => {
  it.each<[Dtype, string, string]>([
    ['I8', 'l.weight', 'l.SCB'],
    ['U8', 'l.weight', 'l.weight.absmax'],
    ['F8_E4M3', 'l.weight', 'l.weight_scale_inv'],
    ['I32', 'l.qweight', 'l.scales'],
    ['I32', 'l.weight_packed', 'l.weight_scale'],
    ['U8', 'l.W_q', 'l.scale'],
    ['I8', 'l.weight._data', 'l.weight._scale'],
    ['U8', 'l.weight._data._data', 'l.weight._scale'],
  ])('of quantised weights is refused, for codes have none: %s %s beside %s', async (dtype, name, scale) => {
    const contents = [bytes(name, dtype, 1, 2, 3, 4), floats(scale, [1], [0.5]), floats('norm', [1], [2])]
    await expect(run([contents, contents])).rejects.toMatchObject({
      code: 'refused',
      message: `"${name}" is quantised: ${dtype} codes, to be multiplied by "${scale}", of which no mean can be taken: ${at('in0')}`,
    })
    const plain = await run([contents, contents], { isWanted: (one) => one === 'norm' })
    expect(floatsIn(plain, 'norm')).toEqual([2])
  })

  it('of a tensor in several dtypes tells what does not fit into the one that is written, or refuses', async () => {
    const half: Content = { name: 'w', dtype: 'F16', shape: [2], data: new Uint8Array(4) }
    const files = [
      await openTensors(storage, writeTensors(at('half'), [half])),
      await openTensors(storage, writeTensors(at('single'), [floats('w', [2], [1e6, 1e-12])])),
    ]
    const [first = expect.unreachable()] = files
    const write = (path: string, strictCast: boolean) =>
      average(storage, planAverage(files, first), { path: at(path), format: 'safetensors' }, { strictCast })
    const { losses } = await write('out', false)
    expect(losses).toEqual([{ name: 'w', from: 'F32', to: 'F16', infinite: 1, nan: 0, zero: 1, wrapped: 0 }])
    await expect(write('strict', true)).rejects.toMatchObject({ code: 'refused' })
    expect(fs.existsSync(at('strict'))).toBe(false)
    for (const file of files) await file.close()
  })

  it('is that of each element, in the first file’s order, with its metadata', async () => {
    const out = await run([
      [floats('b', [2], [1, 2]), floats('a', [], [10])],
      [floats('a', [], [20]), floats('b', [2], [3, 6])],
    ])
    expect([...out.tensors.keys()]).toEqual(['b', 'a'])
    expect([floatsIn(out, 'b'), floatsIn(out, 'a'), out.metadata]).toEqual([[2, 4], [15], { format: 'pt', from: '0' }])
  })

  it('in float32 rounds each sum and the quotient, in the order of the files, as torch does', async () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true })
    await fc.assert(
      fc.asyncProperty(fc.array(float, { minLength: 1, maxLength: 6 }), async (values) => {
        const out = await run(values.map((value) => [floats('w', [1], [value])]))
        const [first = 0, ...others] = values.map(Math.fround)
        const sum = others.reduce((total, value) => Math.fround(total + value), first)
        expect(floatsIn(out, 'w')).toEqual([Math.fround(sum / values.length)])
      }),
      { numRuns: 50 },
    )
  })

  it('in float64 rounds once, at the end', async () => {
    const values = [1, 2 ** -24, 2 ** -24, 2 ** -24]
    const inputs = values.map((value) => [floats('w', [1], [value])])
    expect(floatsIn(await run(inputs), 'w')).toEqual([0.25])
    const exact = Math.fround((1 + 3 * 2 ** -24) / 4)
    expect(exact).not.toBe(0.25)
    expect(floatsIn(await run(inputs, { accumulate: 'float64' }), 'w')).toEqual([exact])
  })

  it('of float64 is never summed in less', async () => {
    const out = await run([[doubles('w', [1])], [doubles('w', [1 + 2 ** -40])]])
    expect(new Float64Array(Uint8Array.from(out.tensors.get('w')?.data ?? []).buffer)[0]).toBe(1 + 2 ** -41)
  })

  it('of half precision is summed in more', async () => {
    const half = (bits: number): Content => ({ name: 'w', dtype: 'F16', shape: [1], data: Uint8Array.of(bits & 255, bits >> 8) }) // prettier-ignore
    // 60000 twice is beyond what half precision holds.
    const out = await run([[half(0x7b53)], [half(0x7b53)]])
    expect(out.tensors.get('w')?.data).toEqual(Buffer.from([0x53, 0x7b]))
  })

  it('goes by weights, which need not come to 1', async () => {
    const inputs = [[floats('w', [1], [1])], [floats('w', [1], [5])]]
    expect(floatsIn(await run(inputs, { weights: [3, 1] }), 'w')).toEqual([2])
    expect(floatsIn(await run(inputs, { weights: [0, 2] }), 'w')).toEqual([5])
  })

  it('may be of tensors longer than what is in memory at once', async () => {
    const many = (from: number) =>
      floats(
        'w',
        [500_001],
        Array.from({ length: 500_001 }, (_, i) => from + i),
      )
    const out = await run([[many(0)], [many(2)]])
    const expected = Float32Array.from({ length: 500_001 }, (_, i) => i + 1)
    expect(Float32Array.from(floatsIn(out, 'w'))).toEqual(expected)
  })

  it('keeps NaN and infinities', async () => {
    const out = await run([[floats('w', [3], [NaN, Infinity, Infinity])], [floats('w', [3], [1, 1, -Infinity])]])
    expect(floatsIn(out, 'w')).toEqual([NaN, Infinity, NaN])
  })

  it('of files with different floating-point dtypes has the first one’s', async () => {
    const out = await run([[floats('w', [1], [1])], [doubles('w', [2])]])
    expect(floatsIn(out, 'w')).toEqual([1.5])
  })
})

describe('NaN', () => {
  it('is reported once for each tensor, with how many, and infinities are not', async () => {
    const told: [string, number][] = []
    const many = Array.from({ length: 300_000 }, (_, index) => (index % 150_000 === 7 ? NaN : 1))
    const inputs = [
      [floats('many', [300_000], many), floats('inf', [1], [Infinity]), doubles('d', [NaN, 1])],
      [
        floats(
          'many',
          [300_000],
          many.map(() => 1),
        ),
        floats('inf', [1], [1]),
        doubles('d', [1, 1]),
      ],
    ]
    await run(inputs, { onNaN: (name, count) => told.push([name, count]) })
    expect(told).toEqual([
      ['many', 2],
      ['d', 1],
    ])
  })
})

describe('integers and booleans', () => {
  it('are those of the newest file', async () => {
    const inputs = [1n, 2n, 3n].map((value) => [floats('w', [1], [Number(value)]), longs('n', value)])
    const out = await run(inputs, { newest: 1 })
    expect(out.tensors.get('n')?.data.readBigInt64LE()).toBe(2n)
    expect(floatsIn(out, 'w')).toEqual([2])
  })
})

describe('what is refused', () => {
  it.each([
    ['a name that is not in all', [[floats('a', [1], [1])], [floats('b', [1], [1])]], 'a is in'],
    ['a further name', [[floats('a', [1], [1])], [floats('a', [1], [1]), floats('b', [1], [1])]], 'b is in'],
    ['another shape', [[floats('a', [2], [1, 2])], [floats('a', [2, 1], [1, 2])]], 'a is F32 [2] in'],
    ['numbers in one and integers in the other', [[floats('a', [1], [1])], [longs('a', 1n)]], 'a is F32 [1] in'],
    ['nothing at all', [[], []], 'no tensor'],
  ])('%s', async (_, inputs, message) => {
    await expect(run(inputs)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(message) as string,
    })
    expect(fs.readdirSync(folder)).not.toContain('out')
  })

  it.each([[[1]], [[1, 2, 3]], [[1, -1]], [[0, 0]]])('weights %j for two files', async (weights) => {
    const input = [floats('a', [1], [1])]
    await expect(run([input, input], { weights })).rejects.toMatchObject({ code: 'usage' })
  })

  it('not where a filter leaves it out', async () => {
    const inputs = [[floats('a', [1], [1]), floats('x', [1], [1])], [floats('a', [1], [3])]]
    const out = await run(inputs, { isWanted: (name) => name === 'a' })
    expect([...out.tensors.keys()]).toEqual(['a'])
  })
})

it('a file that changes meanwhile is an error, and nothing is written', async () => {
  const path = writeTensors(at('in'), [floats('w', [1], [1])])
  const file = await openTensors(storage, path)
  const work = average(storage, planAverage([file, file], file), { path: at('out'), format: 'safetensors' }, {
    onProgress: (done) => done > 0 && fs.appendFileSync(path, 'x'),
  }) // prettier-ignore
  await expect(work).rejects.toMatchObject({ code: 'damaged' })
  await file.close()
  expect(fs.readdirSync(folder)).toEqual(['in'])
})
