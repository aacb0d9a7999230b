import { afterEach, describe, expect, it } from 'vitest'
import { planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors, partsOfStorages, type TensorFile } from '../../../../src/core/tensors/read/index.js'

const storage = localStorage()
/** Written by torch 2.13, each {a: …, w: a plain tensor}; the distributed ones by the first of two processes. */
const fixture = (name: string) => new URL(`../../../fixtures/wrappers/${name}`, import.meta.url).pathname
let open: TensorFile[] = []

afterEach(async () => {
  for (const file of open) await file.close()
  open = []
})

async function opened(name: string): Promise<TensorFile> {
  const file = await openTensors(storage, fixture(name))
  open.push(file)
  return file
}

describe('a tensor that is made of others', () => {
  it.each([
    ['dtensor-piece.pt', /"a" is .*DTensor float32 \[4, 3\], of which this file has the piece of \[2, 3\]/],
    ['dtensor-summand.pt', /"a" is .*DTensor float32 \[4, 3\], of which each process has a summand/],
    ['sharded-tensor.pt', /"a" is ShardedTensor \[4, 3\], of which this file has the piece of \[2, 3\]/],
    ['wrapper.pt', /"a" is quantlib\.QT float32 \[2, 2\]: values in another form/],
    ['own-function.pt', /"a" is .*NestedTensor, made by .*_rebuild_njt of its own: only its program puts it together/],
  ])('and is not all there is refused with the reason, never written in pieces: %s', async (name, reason) => {
    const file = await opened(name)
    expect(file.tensors.map((tensor) => tensor.name)).toEqual(['w'])
    await expect(planConversion(file, 'safetensors')).rejects.toThrow(reason)
  })

  it.each([
    ['packed-bnb-4bit.pt', /"0\.weight" is quantised values uint8 \[32, 1\], which only the program that packed them/],
    ['packed-bnb-8bit.pt', /"0\.weight" is quantised values int8 \[4, 8\], which only the program that packed them/],
    ['packed-conv.pt', /"1" is torch\.ao\.nn\.quantized\.modules\.conv\.Conv2d: weights packed in a form/],
    ['packed-dynamic.pt', /"0" is torch\.ao\.nn\.quantized\.dynamic\.modules\.linear\.Linear: weights packed/],
    ['packed-script.pt', /"0\._all_weight_values\.0\.param" is torch\.ScriptObject: weights packed in a form/],
    ['packed-hqq.pt', /"0" is hqq\.core\.quantize\.HQQLinear: weights packed in a form/],
  ])('and is quantised by another program is refused with the reason: %s', async (name, reason) => {
    const file = await opened(name)
    await expect(planConversion(file, 'safetensors')).rejects.toThrow(reason)
  })

  it('and is all there is the tensor itself', async () => {
    const { tensors } = await opened('dtensor-whole.pt')
    expect(tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ['a', [4, 3]],
      ['w', [2]],
      ['p', [4, 3]],
    ])
  })
})

describe('slices of one storage', () => {
  it('are reported with the bytes behind them, and are not the same tensor', async () => {
    const file = await opened('slices.pt')
    expect(file.findings.join()).toMatch(/its tensors have 56 bytes, and the storages that they lie in 8000/)
    expect([...partsOfStorages(file)]).toEqual(['y'])
  })
})
