import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareTensors, findPrefixBetween, measureValues } from '../../../../src/core/tensors/compare/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { floats, writeTensors, type Content } from '../transfer/files.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-compare-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function compare(first: readonly Content[], second: readonly Content[]) {
  const a = await openTensors(storage, writeTensors(join(folder, 'a'), first))
  const b = await openTensors(storage, writeTensors(join(folder, 'b'), second))
  try {
    const comparison = compareTensors(a, b)
    const measured = await measureValues(a, b, [...comparison.alike, ...comparison.recast])
    return { comparison, measured }
  } finally {
    await a.close()
    await b.close()
  }
}

const distance = async (first: readonly number[], second: readonly number[]) => {
  const shape = [first.length]
  const { measured } = await compare([floats('w', shape, first)], [floats('w', shape, second)])
  return measured[0]?.distance
}

it('tells what was added, removed, reshaped and recast', async () => {
  const wide: Content = { name: 'd', dtype: 'F64', shape: [1], data: new Uint8Array(8) }
  const { comparison } = await compare(
    [floats('a', [1], [1]), floats('b', [2], [1, 2]), floats('c', [1], [1]), floats('d', [1], [0])],
    [floats('e', [1], [1]), floats('b', [1, 2], [1, 2]), floats('c', [1], [1]), wide],
  )
  const names = ({ added, removed, reshaped, recast, alike }: typeof comparison) => [
    added.map(({ name }) => name),
    removed.map(({ name }) => name),
    ...[reshaped, recast, alike].map((pairs) => pairs.map(({ a }) => a.name)),
  ]
  expect(names(comparison)).toEqual([['e'], ['a'], ['b'], ['d'], ['c']])
})

describe('names below a prefix', () => {
  it('are alike without it, but for one whose file has that name too', async () => {
    const one = (name: string) => floats(name, [1], [1])
    const a = await openTensors(storage, writeTensors(join(folder, 'a'), [one('w'), one('b'), one('c')]))
    const b = await openTensors(storage, writeTensors(join(folder, 'b'), [one('model.w'), one('b'), one('model.b')]))
    try {
      const rename = (name: string) => name.replace(/^model\./, '')
      const { alike, added, removed } = compareTensors(a, b, { rename })
      expect(alike.map((pair) => [pair.a.name, pair.b.name])).toEqual([
        ['w', 'model.w'],
        ['b', 'b'],
      ])
      expect([...added, ...removed].map(({ name }) => name)).toEqual(['model.b', 'c'])
    } finally {
      await a.close()
      await b.close()
    }
  })

  it.each([
    [['0.weight', '0.bias'], ['model.0.weight', 'model.0.bias', 'optimizer.0.exp_avg'], ['model.']],
    [['state_dict.module.w', 'epoch'], ['w'], ['state_dict.module.']],
    [['w', 'b'], ['model_ema.w', 'model_ema.b', 'model.w', 'model.b'], ['model.']],
    [['w', 'b'], ['ema.w', 'ema.b', 'model.w'], ['ema.']],
    [
      ['model.w', 'model.b'],
      ['module.w', 'module.b'],
      ['model.', 'module.'],
    ],
  ])('of %j and %j are brought together by taking %j away', (a, b, prefixes) => {
    expect(findPrefixBetween(a, b)?.prefixes).toEqual(prefixes)
  })

  it.each([
    [
      ['a', 'b'],
      ['a', 'b', 'model.a'],
    ],
    [
      ['encoder.w', 'encoder.b'],
      ['decoder.x', 'decoder.y'],
    ],
    [
      ['w', 'x', 'y', 'z'],
      ['head.w', 'p', 'q', 'r'],
    ],
    [[], ['model.w']],
    [['w'], []],
  ])('of %j and %j are not proposed', (a, b) => {
    expect(findPrefixBetween(a, b)).toBeNull()
  })
})

describe('values', () => {
  it('are apart by the largest and the mean absolute difference and an angle', async () => {
    const { max, mean, cosine, equal } = (await distance([3, 4, 0], [4, 3, 0])) ?? {}
    expect([max, mean, equal]).toEqual([1, 2 / 3, false])
    expect(cosine).toBeCloseTo(24 / 25, 12)
    expect((await distance([1, 0], [-2, 0]))?.cosine).toBe(-1)
  })

  it('have no angle to nothing', async () => {
    expect(await distance([0, 0], [1, 1])).toMatchObject({ cosine: null, max: 1 })
    expect(await distance([], [])).toEqual({ max: 0, mean: 0, cosine: null, unequalSpecials: 0, equal: true })
  })

  it('are equal where NaN meets NaN, and infinity the same one', async () => {
    const odd = [NaN, Infinity, -Infinity, 1]
    expect(await distance(odd, odd)).toEqual({ max: 0, mean: 0, cosine: 1, unequalSpecials: 0, equal: true })
    expect(await distance([NaN, Infinity, Infinity, 1], [1, 1, -Infinity, 1])).toEqual({
      max: 0,
      mean: 0,
      cosine: 1,
      unequalSpecials: 3,
      equal: false,
    })
  })

  it('of different dtypes are compared as numbers, in chunks of any count', async () => {
    const length = 300_001
    const values = Array.from({ length }, (_, i) => i % 7)
    const data = new Uint8Array(Float64Array.from(values, (value, i) => (i === length - 1 ? value + 2 : value)).buffer)
    const { measured } = await compare([floats('w', [length], values)], [{ name: 'w', dtype: 'F64', shape: [length], data }]) // prettier-ignore
    expect(measured[0]?.distance).toMatchObject({ max: 2, mean: 2 / length, equal: false })
  })
})

it('ends with a signal amid the values, as an interruption', async () => {
  const wide: Content = { name: 'w', dtype: 'F32', shape: [1 << 23], data: new Uint8Array(1 << 25) }
  const [a, b] = await Promise.all(
    ['a', 'b'].map((name) => openTensors(storage, writeTensors(join(folder, name), [wide]))),
  )
  if (a === undefined || b === undefined) throw new Error('no files')
  try {
    const measuring = measureValues(a, b, compareTensors(a, b).alike, { signal: AbortSignal.abort() })
    await expect(measuring).rejects.toMatchObject({ code: 'interrupted' })
  } finally {
    await a.close()
    await b.close()
  }
})
