import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'

/** As the hub has it: what only a training needs is not there. */
function modelFolder(): string {
  const checkpoint = join(copyFixture('runs/frameworks/hf_trainer_sharded'), 'run', 'checkpoint-12')
  const folder = join(temporaryDirectory(), 'model')
  cpSync(checkpoint, folder, { recursive: true })
  for (const name of readdirSync(folder)) if (!/^model|config/.test(name)) rmSync(join(folder, name))
  return folder
}

async function hashes(...args: string[]): Promise<Map<string, string>> {
  const { status, stdout, stderr } = await ckpt(['tensors', ...args, '--hash', '--json'])
  expect([status, stderr]).toEqual([0, ''])
  const { tensors } = JSON.parse(stdout) as { tensors: { name: string; sha256: string }[] }
  return new Map(tensors.map(({ name, sha256 }) => [name, sha256]))
}

describe('the folder of a model', () => {
  it('is converted whole, to one file, to shards and to torch', async () => {
    const folder = modelFolder()
    const wanted = await hashes(folder)
    expect(wanted.size).toBe(28)
    const into = temporaryDirectory()
    const one = join(into, 'one.safetensors')
    expect((await ckpt(['convert', folder, '-o', one])).status).toBe(0)
    expect(await hashes(one)).toEqual(wanted)
    const torch = join(into, 'one.pt')
    expect((await ckpt(['convert', folder, '-o', torch])).status).toBe(0)
    expect(await hashes(torch)).toEqual(wanted)
    const written = await ckpt(['convert', folder, '--to', 'safetensors', '-o', into, '--shard-size', '4kB'])
    expect(written.status).toBe(0)
    expect(await hashes(join(into, 'model.safetensors.index.json'))).toEqual(wanted)
    const compared = await ckpt(['diff', folder, one, '--values', '--exit-code'])
    expect([compared.status, compared.stderr]).toEqual([0, ''])
  })

  it('is the file that from_pretrained would read: the usual one before a variant and before pickles', async () => {
    const folder = modelFolder()
    const path = join(folder, 'model.safetensors')
    const half = ['--dtype', 'F16', '-o', join(folder, 'model.fp16.safetensors')]
    expect((await ckpt(['convert', folder, ...half])).status).toBe(0)
    const moved = temporaryDirectory()
    expect((await ckpt(['convert', folder, '-o', join(moved, 'all.safetensors')])).status).toBe(0)
    for (const name of readdirSync(folder)) if (/^model-|index/.test(name)) rmSync(join(folder, name))
    cpSync(join(moved, 'all.safetensors'), path)
    const { status, stdout } = await ckpt(['convert', folder, '-o', join(moved, 'again.safetensors'), '--json'])
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ source: path })
  })

  it('with several models in it asks for the one that is meant', async () => {
    const folder = modelFolder()
    const parts = temporaryDirectory()
    for (const part of ['unet', 'vae']) cpSync(folder, join(parts, part), { recursive: true })
    const refused = await ckpt(['convert', parts, '-o', join(folder, 'x.safetensors')])
    expect(refused.status).toBe(2)
    expect(refused.stderr).toContain('--key')
    const key = 'unet/model.safetensors.index'
    expect((await ckpt(['convert', parts, '--key', key, '-o', join(folder, 'x.safetensors')])).status).toBe(0)
  })
})
