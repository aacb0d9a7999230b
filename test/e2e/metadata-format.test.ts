import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { floats, readTensors, writeTensors } from '../core/tensors/transfer/files.js'

/** One model in each form, by the path that opens it; of safetensors without metadata. */
async function forms(): Promise<{ folder: string; torch: string; shards: string; plain: string }> {
  const folder = temporaryDirectory()
  const [torch, plain, shards] = ['torch.pt', 'plain.safetensors', 'm.bin'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeTensors(plain, [floats('a', [4], [1, 2, 3, 4]), floats('b', [4], [5, 6, 7, 8])])
  expect((await ckpt(['convert', plain, '--to', 'torch', '-o', torch])).status).toBe(0)
  expect((await ckpt(['convert', plain, '--to', 'torch', '-o', shards, '--shard-size', '16B'])).status).toBe(0)
  return { folder, torch, shards: `${shards}.index.json`, plain }
}

// transformers (modeling_utils.py, from_pretrained) fails on a file whose metadata has no `format`.
describe('safetensors made after what torch wrote', () => {
  it.each(['torch', 'shards'] as const)('says so in its metadata: %s', async (form) => {
    const { folder, plain, ...paths } = await forms()
    const path = paths[form]
    const output = join(folder, 'out.safetensors')
    const metadata = async (...args: string[]) => {
      const { status, stderr } = await ckpt([...args, '-o', output, '--force'])
      expect(status, stderr).toBe(0)
      return readTensors(output).metadata
    }
    expect(await metadata('convert', path, '--to', 'safetensors')).toEqual({ format: 'pt' })
    expect(await metadata('transfer', plain, path, '--to', 'safetensors')).toEqual({ format: 'pt' })
    expect(await metadata('average', path, path)).toEqual({ format: 'pt' })
    expect((await metadata('transfer', path, path, '--record-source'))?.['format']).toBe('pt')
  })

  it('a safetensors target keeps the metadata that it has', async () => {
    const { folder, torch, plain } = await forms()
    const output = join(folder, 'out.safetensors')
    expect((await ckpt(['transfer', torch, plain, '-o', output])).status).toBe(0)
    expect(fs.readFileSync(output)).toEqual(fs.readFileSync(plain))
  })
})

it('an output takes after shards of torch as after one file', async () => {
  const { folder, shards } = await forms()
  const output = join(folder, 'out')
  expect((await ckpt(['transfer', shards, shards, '-o', output])).status).toBe(0)
  expect(fs.readFileSync(output).subarray(0, 2).toString()).toBe('PK')
})
