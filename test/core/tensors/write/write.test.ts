import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bitsOf, type Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { checkEntry, readZip } from '../../../../src/core/formats/archives/zip.js'
import { writeOutput, type Output, type OutputTensor } from '../../../../src/core/tensors/write/index.js'
import { shardPath, splitIntoShards } from '../../../../src/core/tensors/write/shards.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { faultyStorage } from '../../../faulty-storage.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-output-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

function tensor(name: string, dtype: Dtype, shape: readonly number[], seed = 0): OutputTensor & { data: Uint8Array } {
  const bytes = (shape.reduce((product, length) => product * length, 1) * bitsOf[dtype]) / 8
  const data = Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + seed * 31 + 1) & 0xff)
  return { name, dtype, shape, bytes, data, writeTo: (sink) => sink.write(data) }
}

function output(name: string, tensors: readonly OutputTensor[], more: Partial<Output> = {}): Output {
  return { path: at(name), format: 'torch', tensors, metadata: new Map(), ...more }
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

const expected = (tensors: readonly (OutputTensor & { data: Uint8Array })[]) =>
  new Map(
    tensors.map(({ name, dtype, shape, data }) => [
      name,
      `${dtype} [${shape.join()}] ${Buffer.from(data).toString('hex')}`,
    ]),
  )

const torchDtypes = [
  'BOOL', 'U8', 'I8', 'I16', 'F16', 'BF16', 'I32', 'F32', 'C64', 'F64', 'I64', 'U16', 'U32', 'U64', 'F8_E5M2',
  'F8_E4M3', 'F8_E8M0', 'F8_E5M2FNUZ', 'F8_E4M3FNUZ',
] as const // prettier-ignore

describe("torch's archive", () => {
  it('holds every dtype that torch has, and shapes of any rank', async () => {
    const tensors = [
      ...torchDtypes.map((dtype, index) => tensor(`t.${dtype}`, dtype, [3, 2], index)),
      tensor('scalar', 'F32', []),
      tensor('empty', 'F32', [0, 4]),
      tensor('deep', 'I8', [1, 2, 1, 3, 1, 2]),
      tensor('long', 'U8', [70_000]),
      tensor('é.__proto__', 'F32', [2]),
    ]
    const { bytes, files } = await writeOutput(storage, output('model.pt', tensors))
    expect(await contentsOf(at('model.pt'))).toEqual(expected(tensors))
    expect([bytes, files]).toEqual([fs.statSync(at('model.pt')).size, [at('model.pt')]])
  })

  it('has all data at multiples of 64, the right checksums, and the folder that the file is named for', async () => {
    await writeOutput(storage, output('my model.v2.pt', [tensor('a', 'F32', [5]), tensor('b', 'U8', [1])]))
    const bytes = fs.readFileSync(at('my model.v2.pt'))
    const source = {
      byteLength: bytes.length,
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
    }
    const archive = await readZip(source)
    const names = ['data.pkl', 'byteorder', 'data/0', 'data/1', 'version']
    expect([...archive.entries].map(({ name }) => name)).toEqual(names.map((name) => `my model.v2/${name}`))
    for (const entry of archive.entries) await checkEntry(source, archive, entry)
    for (const { headerOffset } of archive.entries) {
      const start = headerOffset + 30 + bytes.readUInt16LE(headerOffset + 26) + bytes.readUInt16LE(headerOffset + 28)
      expect(start % 64).toBe(0)
    }
  })

  it('is refused for what torch does not have', async () => {
    await expect(writeOutput(storage, output('x.pt', [tensor('a', 'F4', [2])]))).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('torch has no dtype F4') as string,
    })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  it('reads back as it was, whatever is in it', async () => {
    const anyTensor = fc.record({
      dtype: fc.constantFrom(...torchDtypes),
      shape: fc.array(fc.nat({ max: 5 }), { maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(anyTensor, { maxLength: 8 }), async (forms) => {
        const tensors = forms.map(({ dtype, shape }, index) => tensor(`t${index}`, dtype, shape, index))
        await writeOutput(storage, output('any.pt', tensors), { force: true })
        expect(await contentsOf(at('any.pt'))).toEqual(expected(tensors))
      }),
      { numRuns: 60 },
    )
  })
})

describe('shards', () => {
  const sized = (...sizes: number[]) => sizes.map((bytes, index) => ({ name: `t${index}`, bytes }))
  const split = (limit: number, ...sizes: number[]) =>
    splitIntoShards(sized(...sizes), limit).map((shard) => shard.map(({ bytes }) => bytes))

  it('are filled in order, and what is larger than one has its own', () => {
    expect(split(10, 4, 4, 4, 12, 1, 9)).toEqual([[4, 4], [12], [4, 1], [9]])
    expect(split(10, 4, 4, 4)).toEqual([[4, 4], [4]])
    expect(split(10)).toEqual([[]])
    expect(split(10, 12)).toEqual([[12]])
  })

  it('partition the tensors', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 })), fc.integer({ min: 1, max: 20 }), (sizes, limit) => {
        const shards = splitIntoShards(sized(...sizes), limit)
        const names = shards.flatMap((shard) => shard.map(({ name }) => name))
        expect(names.toSorted()).toEqual(sized(...sizes).map(({ name }) => name).toSorted()) // prettier-ignore
        for (const shard of shards) {
          const total = shard.reduce((sum, { bytes }) => sum + bytes, 0)
          expect(total <= limit || shard.length === 1).toBe(true)
        }
      }),
    )
  })

  it('are named as Hugging Face names them, with an index that opens', async () => {
    const tensors = [tensor('b', 'F32', [4]), tensor('a', 'F32', [4], 1), tensor('c', 'U8', [2], 2)]
    const { path, files, bytes } = await writeOutput(
      storage,
      output('model.safetensors', tensors, {
        format: 'safetensors',
        metadata: new Map([['format', 'pt']]),
        shardSize: 20,
      }),
    )
    const names = [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]
    expect(fs.readdirSync(folder).sort()).toEqual(names)
    expect([path, files]).toEqual([at('model.safetensors.index.json'), names.map(at)])
    expect(bytes).toBe(names.reduce((sum, name) => sum + fs.statSync(at(name)).size, 0))
    expect(JSON.parse(fs.readFileSync(path, 'utf8'))).toEqual({
      metadata: { total_size: 34 },
      weight_map: { a: names[1], b: names[0], c: names[1] },
    })
    expect(await contentsOf(path)).toEqual(expected(tensors))
  })

  it.each([
    ['safetensors', 'new-00001-of-00002.safetensors', 'new.safetensors.index.json'],
    ['torch', 'new-00001-of-00002.bin', 'new.bin.index.json'],
  ] as const)('of a name without an extension have that of %s', async (format, first, index) => {
    const tensors = [tensor('b', 'F32', [4]), tensor('a', 'F32', [4], 1)]
    const { files } = await writeOutput(storage, output('new', tensors, { format, shardSize: 16 }))
    expect([files[0], files.at(-1)]).toEqual([at(first), at(index)])
    expect(await contentsOf(at(index))).toEqual(expected(tensors))
  })

  it('are one file when all fits into one', async () => {
    await writeOutput(storage, output('m.pt', [tensor('a', 'F32', [4])], { shardSize: 100 }))
    expect(fs.readdirSync(folder)).toEqual(['m.pt'])
  })

  it('of torch have an index too', async () => {
    const tensors = [tensor('b', 'F32', [4]), tensor('a', 'F32', [4], 1)]
    const { path } = await writeOutput(storage, output('pytorch_model.bin', tensors, { shardSize: 16 }))
    expect(path).toBe(at('pytorch_model.bin.index.json'))
    expect(await contentsOf(path)).toEqual(expected(tensors))
  })

  it('appear all or not at all, the index last, whatever call fails', async () => {
    const request = output('m.safetensors', [tensor('a', 'F32', [4]), tensor('b', 'F32', [4])], {
      format: 'safetensors',
      shardSize: 16,
    })
    const { storage: through, calls } = faultyStorage(storage)
    await writeOutput(through, request)
    const count = calls.length
    const named = calls.filter((call) => call.startsWith('hardLink'))
    expect(named.at(-1)).toContain('index.json')
    for (let failAt = 1; failAt <= count; failAt += 1) {
      for (const name of fs.readdirSync(folder)) fs.unlinkSync(at(name))
      const faulty = faultyStorage(storage, { failAt })
      await writeOutput(faulty.storage, request).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'system' }),
      )
      expect([0, 3]).toContain(fs.readdirSync(folder).length)
      expect(fs.readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
    }
  })

  it('never replace one that is there', async () => {
    const taken = shardPath(at('m.pt'), 1, 2)
    fs.writeFileSync(taken, 'mine')
    await expect(
      writeOutput(storage, output('m.pt', [tensor('a', 'F32', [4]), tensor('b', 'F32', [4])], { shardSize: 16 })),
    ).rejects.toMatchObject({ code: 'refused' })
    expect(fs.readdirSync(folder)).toEqual(['m-00002-of-00002.pt'])
  })
})

describe('a name that a format cannot hold', () => {
  it.each([
    ['safetensors', '__metadata__'],
    ['safetensors', '\ud83d'],
    ['torch', 'a\udc00'],
  ] as const)('is refused in %s: %j', async (format, name) => {
    const request = output('x', [tensor(name, 'F32', [1])], { format })
    await expect(writeOutput(storage, request)).rejects.toMatchObject({ code: 'refused' })
  })
})

it.each(['m.h5', 'm.weights.h5', 'm.keras', 'm.npz', 'm.GGUF', 'm.onnx'])(
  'is not written under the name of another format: %s',
  async (name) => {
    await expect(writeOutput(storage, output(name, [tensor('w', 'F32', [2])]))).rejects.toMatchObject({
      code: 'usage',
      hint: 'name it .safetensors or .pt',
    })
    expect(fs.readdirSync(folder)).toEqual([])
  },
)
