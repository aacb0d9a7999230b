/** What torch saved is transferred as the same tensors in safetensors are. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isDtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors } from '../../../../src/core/tensors/read/open.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { matchTensors } from '../../../../src/core/tensors/transfer/match.js'
import { transfer } from '../../../../src/core/tensors/transfer/write.js'
import { floats, readTensors, writeTensors, type Content } from './files.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/torch/', import.meta.url).pathname
let folder = ''

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-torch-transfer-'))
})
afterAll(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

async function contentsOf(path: string): Promise<Content[]> {
  const file = await openTensors(storage, path)
  const contents: Content[] = []
  for (const tensor of file.tensors) {
    if (!isDtype(tensor.dtype)) continue
    const parts: Buffer[] = []
    for await (const part of chunksOf(await file.dataOf(tensor))) parts.push(Buffer.from(part))
    contents.push({ ...tensor, dtype: tensor.dtype, shape: tensor.shape.map(Number), data: Buffer.concat(parts) })
  }
  await file.close()
  return contents
}

async function run(source: string, target: string, output: string): Promise<Buffer> {
  const [from, to] = [await openTensors(storage, source), await openTensors(storage, target)]
  try {
    await transfer(storage, matchTensors(from, to), at(output), { force: true })
  } finally {
    await from.close()
    await to.close()
  }
  return fs.readFileSync(at(output))
}

const halves = (contents: readonly Content[]): Content[] =>
  contents.map((one) => ({ ...one, data: new Uint8Array(one.data.length) }))

describe.each([
  'torch2/state_dict.pt',
  'torch2/legacy_state_dict.pt',
  'torch2/views.pt',
  'torch2/legacy_views.pt',
  'torch2/conj.pt',
  'torch2/neg.pt',
  'torch2/byteorder_big.pt',
  'torch2/module_custom.pt',
  'torch2/dtypes.pt',
  'torch1/deflated.pt',
])('%s', (name) => {
  it('gives the same file as its tensors in safetensors do', async () => {
    const contents = await contentsOf(join(fixtures, name))
    writeTensors(at('same.safetensors'), contents)
    writeTensors(at('target.safetensors'), halves(contents), { format: 'pt' })
    const fromTorch = await run(join(fixtures, name), at('target.safetensors'), 'a')
    const fromSafetensors = await run(at('same.safetensors'), at('target.safetensors'), 'b')
    expect(fromTorch.equals(fromSafetensors)).toBe(true)
  })

  it('is cast as its tensors in safetensors are', async () => {
    const contents = (await contentsOf(join(fixtures, name))).filter(({ dtype }) => dtype === 'F32' || dtype === 'C64')
    writeTensors(at('same.safetensors'), contents)
    const doubles = contents.map((one) => {
      const count = one.shape.reduce((product, length) => product * length, 1)
      return { ...one, dtype: 'F64' as const, data: new Uint8Array(8 * count) }
    })
    writeTensors(at('target.safetensors'), doubles)
    const fromTorch = await run(join(fixtures, name), at('target.safetensors'), 'a')
    expect(fromTorch.equals(await run(at('same.safetensors'), at('target.safetensors'), 'b'))).toBe(true)
  })
})

it('a torch file as the target gives safetensors, where the output is named so, with its tensors in its order', async () => {
  const path = join(fixtures, 'torch1/state_dict.pt')
  await run(path, path, 'out.safetensors')
  const contents = await contentsOf(path)
  const written = readTensors(at('out.safetensors'))
  expect([...written.tensors.keys()]).toEqual(contents.map((one) => one.name))
  for (const { name, data } of contents) expect(written.tensors.get(name)?.data.equals(Buffer.from(data))).toBe(true)
})

describe('sparse tensors', () => {
  const sparse = join(fixtures, 'torch2', 'sparse.pt')

  it('in the target are refused, for it would lose its structure', async () => {
    await expect(run(sparse, sparse, 'out.pt')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"coo" is sparse_coo [4, 4], and 4 more like it') as string,
    })
    expect(fs.existsSync(at('out.pt'))).toBe(false)
  })

  it('in the source are left out', async () => {
    const own = floats('coo', [4, 4], Array<number>(16).fill(7))
    const target = writeTensors(at('target'), [own, floats('w', [2], [7, 7])])
    await run(sparse, target, 'out')
    const { tensors } = readTensors(at('out'))
    const w = (await contentsOf(sparse)).find(({ name }) => name === 'w')
    expect([...tensors.keys()]).toEqual(['coo', 'w'])
    expect(Buffer.from(tensors.get('coo')?.data ?? [])).toEqual(Buffer.from(own.data))
    expect(Buffer.from(tensors.get('w')?.data ?? [])).toEqual(Buffer.from(w?.data ?? []))
  })
})
