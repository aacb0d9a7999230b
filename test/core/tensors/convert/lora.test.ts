/** Adapters that peft 0.21 wrote, and what its own merge_and_unload makes of them (test/fixtures/lora/write.py). */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, openLoraAdapter, planConversion, planLora } from '../../../../src/core/tensors/convert/index.js'
import { createCast } from '../../../../src/core/tensors/read/cast.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { isDtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { floats, readTensors, writeTensors } from '../transfer/files.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/lora/', import.meta.url).pathname
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-lora-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function valuesOf(path: string): Promise<Map<string, { dtype: string; values: Float64Array }>> {
  const file = await openTensors(storage, path)
  const all = new Map<string, { dtype: string; values: Float64Array }>()
  for (const tensor of file.tensors) {
    const bytes: Buffer[] = []
    for await (const chunk of chunksOf(await file.dataOf(tensor))) bytes.push(Buffer.from(chunk))
    if (!isDtype(tensor.dtype)) throw new Error(tensor.dtype)
    const doubles = createCast(tensor.dtype, 'F64', 1 << 16)(Buffer.concat(bytes)).slice()
    all.set(tensor.name, {
      dtype: tensor.dtype,
      values: new Float64Array(doubles.buffer, doubles.byteOffset, doubles.length / 8),
    })
  }
  await file.close()
  return all
}

async function merge(base: string, adapterPath: string): Promise<string> {
  const output = join(folder, 'merged.safetensors')
  const file = await openTensors(storage, base)
  const adapter = await openLoraAdapter(storage, adapterPath)
  try {
    const { change } = await planLora(file, adapter.file, adapter.config)
    await convert(storage, await planConversion(file, 'safetensors', { change }), output, { force: true })
    return output
  } finally {
    await adapter.file.close()
    await file.close()
  }
}

describe('an adapter', () => {
  it.each(['plain', 'half', 'ranks', 'conv1d', 'embedding', 'mixed'])(
    '%s: is merged as peft merges it, to the bit',
    async (name) => {
      const at = join(fixtures, name)
      const got = await valuesOf(await merge(join(at, 'model.safetensors'), join(at, 'adapter')))
      const want = await valuesOf(join(at, 'merged.safetensors'))
      const before = await valuesOf(join(at, 'model.safetensors'))
      expect([...got.keys()].sort()).toEqual([...want.keys()].sort())
      let changed = 0
      for (const [tensor, { dtype, values }] of want) {
        const own = got.get(tensor)
        expect(own?.dtype).toBe(dtype)
        for (const [index, value] of values.entries()) {
          const was = before.get(tensor)?.values[index] ?? 0
          expect(own?.values[index], `${tensor} ${index}`).toBe(value)
          if (value !== was) changed += 1
        }
      }
      expect(changed).toBeGreaterThan(100)
    },
  )

  it('has the alpha of the first pattern that a module ends with, as a regular expression', async () => {
    const at = join(folder, 'adapter')
    fs.cpSync(join(fixtures, 'plain/adapter'), at, { recursive: true })
    const base = join(fixtures, 'plain/model.safetensors')
    const name = 'model.layers.1.self_attn.q_proj.weight'
    const mergedWith = async (patterns: object): Promise<readonly number[]> => {
      const config = join(at, 'adapter_config.json')
      const read = JSON.parse(fs.readFileSync(config, 'utf8')) as object
      fs.writeFileSync(config, JSON.stringify({ ...read, alpha_pattern: patterns }))
      return [...((await valuesOf(await merge(base, at))).get(name)?.values ?? [])]
    }
    const twice = await mergedWith({ 'layers.1.self_attn.q_proj': 16 })
    const own = await mergedWith({})
    expect(twice).not.toEqual(own)
    expect(await mergedWith({ '.*\\.1\\..*q_proj': 16, q_proj: 8 })).toEqual(twice)
    expect(await mergedWith({ '^model.layers.1.self_attn.q_proj': 16 })).toEqual(twice)
    expect(await mergedWith({ '^layers.1.self_attn.q_proj': 16, 'attn.q': 16 })).toEqual(own)
    await expect(mergedWith({ '(?<!a)q_proj': 1 })).rejects.toMatchObject({ code: 'refused' })
  })

  it("with `bias='all'` and a module in full has that one's biases thrice: those by its own name count", async () => {
    const one = (name: string, value: number, shape: readonly number[] = [1]) => floats(name, shape, [value])
    const weights = [one('lin.weight', 1, [1, 1]), one('head.bias', 1), one('head.weight', 1)]
    const base = writeTensors(join(folder, 'base.safetensors'), weights)
    const path = join(folder, 'adapter')
    fs.mkdirSync(path)
    const config = { peft_type: 'LORA', r: 1, lora_alpha: 2, bias: 'all', modules_to_save: ['head'] }
    fs.writeFileSync(join(path, 'adapter_config.json'), JSON.stringify(config))
    writeTensors(join(path, 'adapter_model.safetensors'), [
      one('base_model.model.head.bias', 5),
      one('base_model.model.head.modules_to_save.bias', 5),
      one('base_model.model.head.original_module.bias', 9),
      one('base_model.model.head.weight', 6),
      one('base_model.model.lin.lora_A.weight', 3, [1, 1]),
      one('base_model.model.lin.lora_B.weight', 4, [1, 1]),
    ])
    const values = await valuesOf(await merge(base, path))
    expect(new Map([...values].map(([name, tensor]) => [name, [...tensor.values]]))).toEqual(
      new Map([
        ['lin.weight', [25]],
        ['head.bias', [5]],
        ['head.weight', [6]],
      ]),
    )
  })

  it('that has a tied head in full is refused: peft would untie it from the embedding', async () => {
    const weights = [floats('embed.weight', [2, 1], [1, 2]), floats('q.weight', [1, 1], [1])]
    const base = writeTensors(join(folder, 'base.safetensors'), weights, { 'lm_head.weight': 'embed.weight' })
    const adapter = join(folder, 'adapter')
    fs.mkdirSync(adapter)
    const sides = ['A', 'B'].map((side) => floats(`base_model.model.q.lora_${side}.weight`, [1, 1], [1]))
    const head = floats('base_model.model.lm_head.weight', [2, 1], [3, 4])
    writeTensors(join(adapter, 'adapter_model.safetensors'), [...sides, head])
    fs.writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA', r: 1, lora_alpha: 1 }))
    await expect(merge(base, adapter)).rejects.toThrow(
      /has "lm_head\.weight" in full, which is tied to "embed\.weight"/,
    )
  })

  it('into quantised weights is refused: nothing can be added to codes', async () => {
    const { tensors } = readTensors(join(fixtures, 'plain/model.safetensors'))
    const own = [...tensors].map(([name, { shape, data }]) =>
      shape.length === 2
        ? { name, shape, dtype: 'I8' as const, data: data.subarray(0, data.length / 4) }
        : { name, shape, dtype: 'F32' as const, data },
    )
    expect([...tensors.values()].every(({ dtype }) => dtype === 'F32')).toBe(true)
    const at = (name: string) => join(folder, name)
    const adapter = join(fixtures, 'plain/adapter')
    await expect(merge(writeTensors(at('codes'), own), adapter)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/proj\.weight" of \S+ is I8, and no floats/) as string,
    })
    const scales = own.map(({ name }) => floats(name.replace(/weight$/, 'SCB'), [1], [1]))
    await expect(merge(writeTensors(at('scaled'), [...own, ...scales]), adapter)).rejects.toMatchObject({
      message: expect.stringMatching(/ is I8 codes, to be multiplied by "\S+proj\.SCB", and no floats/) as string,
    })
  })

  it.each([
    { init_lora_weights: 'pissa' },
    { init_lora_weights: 'pissa_niter_16' },
    { init_lora_weights: 'olora' },
    { init_lora_weights: 'corda' },
    { init_lora_weights: 'loftq' },
    { init_lora_weights: 'lora_ga' },
    { layer_replication: [[0, 2]] },
    { use_bdlora: { nblocks: 2 } },
    { use_dora: true },
  ])('that says %j is refused: these weights are not the ones that it adds to', async (setting) => {
    const at = join(folder, 'adapter')
    fs.cpSync(join(fixtures, 'plain/adapter'), at, { recursive: true })
    const config = join(at, 'adapter_config.json')
    const read = JSON.parse(fs.readFileSync(config, 'utf8')) as object
    fs.writeFileSync(config, JSON.stringify({ ...read, ...setting }))
    await expect(merge(join(fixtures, 'plain/model.safetensors'), at)).rejects.toMatchObject({ code: 'refused' })
  })

  it('of DoRA is refused, and so is one for another model', async () => {
    const at = join(folder, 'adapter')
    fs.cpSync(join(fixtures, 'plain/adapter'), at, { recursive: true })
    const base = join(fixtures, 'plain/model.safetensors')
    await expect(merge(join(fixtures, 'conv1d/model.safetensors'), at)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"model.layers.0.mlp.down_proj.weight", which') as string,
    })
    const config = join(at, 'adapter_config.json')
    fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace('"use_dora": false', '"use_dora": true'))
    await expect(merge(base, at)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('DoRA') as string,
    })
    fs.rmSync(config)
    await expect(merge(base, at)).rejects.toMatchObject({ code: 'not-found' })
  })
})
