/** Adapters that peft 0.21 wrote, and what its own merge_and_unload makes of them (test/fixtures/lora/write.py). */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, openLoraAdapter, planConversion, planLora } from '../../../../src/core/tensors/convert/index.js'
import { createCast } from '../../../../src/core/tensors/read/cast.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { isDtype } from '../../../../src/core/formats/safetensors.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { localStorage } from '../../../../src/core/storage/local.js'

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
    const { change } = planLora(file, adapter.file, adapter.config)
    await convert(storage, await planConversion(file, 'safetensors', { change }), output)
    return output
  } finally {
    await adapter.file.close()
    await file.close()
  }
}

/** Of a number in a dtype, the distance to the next. */
function spacing(value: number, dtype: string): number {
  const digits = dtype === 'BF16' ? 7 : 23
  return 2 ** (Math.floor(Math.log2(Math.max(Math.abs(value), 1e-3))) - digits)
}

describe('an adapter', () => {
  it.each(['plain', 'half', 'ranks', 'conv1d', 'embedding'])(
    '%s: is merged as peft merges it, within one rounding',
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
          const distance = Math.abs((own?.values[index] ?? NaN) - value)
          // torch sums the product in float32, in an order of its own: its terms are about 1, and each is rounded.
          expect(distance, `${tensor} ${index}`).toBeLessThanOrEqual(
            Math.max(spacing(value, dtype), 2 * spacing(1, 'F32')),
          )
          if (value !== was) changed += 1
        }
      }
      expect(changed).toBeGreaterThan(100)
    },
  )

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
