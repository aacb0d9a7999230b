import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import type { OutputFormat } from '../../../../src/core/tensors/write/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { floats, readTensors, writeTensors } from '../transfer/files.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/torch/', import.meta.url).pathname
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-convert-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

async function run(path: string, format: OutputFormat, output: string) {
  const file = await openTensors(storage, path)
  try {
    const conversion = await planConversion(file, format)
    await convert(storage, conversion, at(output))
    return conversion
  } finally {
    await file.close()
  }
}

async function contentsOf(path: string): Promise<Map<string, string>> {
  const file = await openTensors(storage, path)
  const contents = new Map<string, string>()
  for (const info of file.tensors) {
    const parts: Buffer[] = []
    for await (const chunk of chunksOf(await file.dataOf(info))) parts.push(Buffer.from(chunk))
    contents.set(info.name, `${info.dtype} [${info.shape.join()}] ${Buffer.concat(parts).toString('hex')}`)
  }
  await file.close()
  return contents
}

const torch = (name: string) => join(fixtures, 'torch1', name)

describe('to safetensors', () => {
  it.each(['state_dict.pt', 'shapes.pt', 'views.pt', 'legacy_state_dict.pt', 'parameter.pt'])(
    '%s has the same values under the same names, larger dtypes first, then by name',
    async (name) => {
      await run(torch(name), 'safetensors', 'out.safetensors')
      const { tensors, metadata } = readTensors(at('out.safetensors'))
      const before = await contentsOf(torch(name))
      for (const [tensor, content] of await contentsOf(at('out.safetensors'))) expect(content).toBe(before.get(tensor))
      expect(metadata?.['format']).toBe('pt')
      const tied = Object.keys(metadata ?? {}).filter((key) => key !== 'format')
      expect([...tensors.keys(), ...tied].sort()).toEqual([...before.keys()].sort())
    },
  )

  it.each(['tied.pt', 'legacy_tied.pt'])('%s has tied weights once, with a note of the others', async (name) => {
    const { tied } = await run(torch(name), 'safetensors', 'out.safetensors')
    expect(tied.length).toBeGreaterThan(0)
    const { tensors, metadata } = readTensors(at('out.safetensors'))
    const before = await contentsOf(torch(name))
    for (const { name: left, kept } of tied) {
      expect([tensors.has(left), tensors.has(kept), metadata?.[left], kept < left]).toEqual([false, true, kept, true])
      expect(before.get(left)).toBe(before.get(kept))
    }
    await run(at('out.safetensors'), 'torch', 'back.pt')
    expect(await contentsOf(at('back.pt'))).toEqual(before)
  })

  it('takes the state_dict alone out of what lies around it, and says what it leaves', async () => {
    const { leftOut, notes } = await run(torch('lightning_like.ckpt'), 'safetensors', 'out.safetensors')
    const names = [...readTensors(at('out.safetensors')).tensors.keys()]
    const before = [...(await contentsOf(torch('lightning_like.ckpt'))).keys()]
    const prefix = 'state_dict.'
    expect(names.sort()).toEqual(
      before.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)).sort(), // prettier-ignore
    )
    expect(leftOut).toEqual(before.filter((name) => !name.startsWith(prefix)))
    expect(notes).toHaveLength(1)
  })
})

describe('to torch', () => {
  it('keeps names and order, and says that metadata goes', async () => {
    const path = writeTensors(at('in'), [floats('b', [2], [1, 2]), floats('a', [], [3])], { note: 'x', format: 'pt' })
    const { notes } = await run(path, 'torch', 'out.pt')
    expect(await contentsOf(at('out.pt'))).toEqual(await contentsOf(path))
    expect(notes.join()).toContain('note')
    const file = await openTensors(storage, at('out.pt'))
    expect([file.format, file.tensors.map(({ name }) => name), file.findings, [...file.opaque]]).toEqual([
      'torch',
      ['b', 'a'],
      [],
      [],
    ])
    await file.close()
  })

  it('and back gives the bytes that there were', async () => {
    const path = writeTensors(at('in'), [floats('a', [2], [1, 2]), floats('b', [3], [3, 4, 5])], { format: 'pt' })
    await run(path, 'torch', 'out.pt')
    await run(at('out.pt'), 'safetensors', 'back.safetensors')
    expect(fs.readFileSync(at('back.safetensors'))).toEqual(fs.readFileSync(path))
  })
})

describe('what has no form of its own in the other format', () => {
  const torch2 = (name: string) => join(fixtures, 'torch2', name)

  it.each([
    ['sparse.pt', '"coo" is sparse_coo [4, 4], and 4 more like it'],
    ['nested_meta.pt', '"nested" is nested, and 1 more like it'],
    ['quantized.pt', '"per_tensor" is qint8'],
  ])('%s is refused, either way', async (name, reason) => {
    for (const format of ['safetensors', 'torch'] as const) {
      await expect(run(torch2(name), format, 'out')).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining(reason) as string,
      })
      expect(fs.readdirSync(folder)).toEqual([])
    }
  })

  it('a file of other things than tensors is refused, an empty one is not', async () => {
    for (const name of ['int.pt', 'optimizer_lbfgs.pt']) {
      await expect(run(torch2(name), 'safetensors', 'out')).rejects.toMatchObject({
        code: 'refused',
        message: `${torch2(name)}: holds no tensors`,
      })
    }
    expect((await run(writeTensors(at('empty'), []), 'torch', 'out')).tensors).toEqual([])
  })

  it('values beside the tensors are told to be left out, to torch too', async () => {
    for (const format of ['safetensors', 'torch'] as const) {
      const { notes } = await run(torch('lightning_like.ckpt'), format, `out.${format}`)
      expect(notes).toEqual([expect.stringContaining('what lies beside the tensors')])
    }
  })
})

describe('what is quantised', () => {
  const codes = (name: string, dtype: Dtype) => ({ name, dtype, shape: [4], data: Uint8Array.of(1, 2, 3, 4) })

  it('keeps its codes, scales and tables in their dtypes, whatever the others are cast to, and that is told', async () => {
    const own = [
      codes('a.weight', 'U8'),
      floats('a.weight.absmax', [1], [0.1]),
      floats('a.weight.quant_map', [1], [0.1]),
      floats('a.weight.nested_absmax', [1], [0.1]),
      codes('b.weight', 'I8'),
      floats('b.SCB', [1], [0.1]),
      codes('c.weight', 'F8_E4M3'),
      floats('c.weight_scale_inv', [1], [0.1]),
      floats('c.input_scale', [1], [0.1]),
      codes('d.weight._data', 'I8'),
      floats('d.weight._scale', [1], [0.1]),
      floats('d.input_scale', [1], [0.1]),
      floats('d.output_scale', [1], [0.1]),
      codes('e.weight._data._data', 'U8'),
      floats('e.weight._scale', [1], [0.1]),
      floats('e.weight._shift', [1], [0.1]),
      floats('e.input_scale', [1], [0.1]),
    ]
    const others = [
      floats('b.bias', [1], [1]),
      floats('d.bias', [1], [1]),
      floats('norm.scale', [1], [1]),
      codes('plain', 'F8_E4M3'),
    ]
    const file = await openTensors(storage, writeTensors(at('in'), [...own, ...others]))
    const conversion = await planConversion(file, 'safetensors', { dtypeFor: () => 'BF16' })
    await convert(storage, conversion, at('out'))
    await file.close()
    const { tensors } = readTensors(at('out'))
    for (const { name, dtype, data } of own) expect(tensors.get(name)).toMatchObject({ dtype, data: Buffer.from(data) })
    for (const { name } of others) expect(tensors.get(name)?.dtype).toBe('BF16')
    expect(conversion.cast.map(({ name }) => name)).toEqual(['b.bias', 'd.bias', 'norm.scale', 'plain'])
    expect(conversion.notes).toEqual([
      'not cast, as codes of quantised weights or their scales: "a.weight.absmax" and 12 more',
    ])
  })
})
