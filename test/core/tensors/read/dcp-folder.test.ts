import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { findUntiled } from '../../../../src/core/tensors/read/sharded-tensor.js'
import { measureTensor, openTensors, weightsOf, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { isExtent } from '../../../../src/core/tensors/read/tensor.js'
import { ensureTransferable, matchTensors } from '../../../../src/core/tensors/transfer/index.js'
import { floats, writeTensors } from '../transfer/files.js'
import { opened } from './opened-files.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/dcp/', import.meta.url).pathname
/** Written by torch 2.13 with four processes: by rows, by columns, as a grid, and by one of them alone. */
const fourRanks = join(fixtures, 'four-ranks')
const expected = JSON.parse(fs.readFileSync(join(fixtures, 'four-ranks.json'), 'utf8')) as Record<
  string,
  { readonly dtype: string; readonly shape: readonly number[]; readonly sha256: string }
>
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-dcp-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function hashesOf(file: TensorFile): Promise<Record<string, unknown>> {
  const hashes: Record<string, unknown> = {}
  for (const tensor of file.tensors) {
    const { sha256 } = await measureTensor(await file.dataOf(tensor), tensor.dtype, { hash: true, stats: false })
    hashes[tensor.name] = { shape: tensor.shape, sha256 }
  }
  return hashes
}

const formsOf = (names: Record<string, { shape: readonly number[]; sha256: string }>) =>
  Object.fromEntries(Object.entries(names).map(([name, { shape, sha256 }]) => [name, { shape, sha256 }]))

function copyOfFourRanks(): string {
  const copy = join(folder, 'copy')
  fs.cpSync(fourRanks, copy, { recursive: true })
  return copy
}

it('reads what was saved with no coordination, by the .metadata of the only rank', async () => {
  const saved = new URL('../../../fixtures/runs/variants/dcp-ranks/run/step_20', import.meta.url).pathname
  const file = await openTensors(storage, saved)
  expect(file.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ['model.weight', [2, 3]],
    ['model.bias', [2]],
  ])
  await file.close()
})

describe('a folder of torch.distributed.checkpoint', () => {
  it('gives each tensor whole, however the processes shared it', async () => {
    expect(await hashesOf(weightsOf(await opened(fourRanks)).file)).toEqual(formsOf(expected))
  })

  it('gives the same values in small chunks', async () => {
    const file = weightsOf(await opened(fourRanks)).file
    for (const tensor of file.tensors) {
      const data = await file.dataOf(tensor)
      if (isExtent(data)) continue
      const [all, few]: [number[], number[]] = [[], []]
      for await (const bytes of data.read(data.length, 1 << 20)) all.push(...bytes)
      for await (const bytes of data.read(data.length, 8)) few.push(...bytes)
      expect(few).toEqual(all)
    }
  })

  it('takes the model for the weights, and the optimizer where it is asked for', async () => {
    const file = await opened(fourRanks)
    expect(weightsOf(file).path).toBe('model')
    expect(weightsOf(file, 'optimizer').file.tensors.map(({ name }) => name)).toEqual(['state.rows.weight.exp_avg'])
  })

  it('takes what lies beside the optimizer for the weights, as torchtitan saves them', async () => {
    const { file, leftOut } = weightsOf(await opened(join(fixtures, 'torchtitan')))
    expect(file.tensors.map(({ name }) => name).sort()).toEqual(['output.weight', 'tok_embeddings.weight'])
    expect(leftOut.map(({ path }) => path)).not.toContain('output.weight')
  })

  it('is written as safetensors with the same values', async () => {
    const output = join(folder, 'model.safetensors')
    await convert(storage, await planConversion(await opened(fourRanks), 'safetensors'), output)
    expect(await hashesOf(await opened(output))).toEqual(formsOf(expected))
  })

  it('gives the tensors of files of safetensors, as FileSystemWriter writes them where it is told to', async () => {
    expect(await hashesOf(await opened(join(fixtures, 'safetensors')))).toEqual(
      JSON.parse(fs.readFileSync(join(fixtures, 'safetensors.json'), 'utf8')),
    )
  })

  it('is refused where a file is not there, by its name', async () => {
    const copy = copyOfFourRanks()
    fs.rmSync(join(copy, '__2_0.distcp'))
    await expect(openTensors(storage, copy)).rejects.toThrow(/__2_0\.distcp: is not there/)
  })

  it('is refused where a file is cut off, with the offset and the lengths', async () => {
    const copy = copyOfFourRanks()
    fs.truncateSync(join(copy, '__1_0.distcp'), 2000)
    await expect(openTensors(storage, copy)).rejects.toThrow(
      /__1_0\.distcp: ends at byte 2000, and .*\.metadata says that \d+ bytes of .* begin at byte \d+/,
    )
  })

  it('is refused where a piece is not a file of torch any more', async () => {
    const copy = copyOfFourRanks()
    for (const name of fs.readdirSync(copy).filter((one) => one.endsWith('.distcp'))) {
      fs.writeFileSync(join(copy, name), Buffer.alloc(fs.statSync(join(copy, name)).size))
    }
    await expect(opened(copy).then(hashesOf)).rejects.toThrow(/the piece of ".*" at byte \d+ cannot be read/)
  })
})

/** As Megatron-Core adds it to the state of its Metadata (core/dist_checkpointing/strategies/torch.py), before the BUILD. */
function addLaidFlat(path: string, name: string, shape: readonly number[]): void {
  const text = (word: string) => Buffer.concat([Buffer.from([0x8c, word.length]), Buffer.from(word)])
  const tuple = Buffer.from([0x28, ...shape.flatMap((size) => [0x4b, size]), 0x74])
  const inner = Buffer.concat([Buffer.from('}'), text('nd_reformulated_orig_global_shape'), tuple, Buffer.from('s')])
  const outer = Buffer.concat([text('mcore_data'), Buffer.from('}'), text(name), inner, Buffer.from('ss')])
  const bytes = fs.readFileSync(path)
  const whole = Buffer.concat([bytes.subarray(0, -2), outer, bytes.subarray(-2)])
  // The one frame of the pickle begins with its length.
  whole.writeBigUInt64LE(BigInt(whole.length - 11), 3)
  fs.writeFileSync(path, whole)
}

it('a tensor that Megatron-Core laid flat piece by piece is refused with the reason, and the others are read', async () => {
  const copy = copyOfFourRanks()
  addLaidFlat(join(copy, '.metadata'), 'model.rows.weight', [7, 2, 2])
  const file = await opened(copy)
  expect(file.tensors.map(({ name }) => name)).not.toContain('model.rows.weight')
  expect(file.tensors.map(({ name }) => name)).toContain('model.columns.weight')
  await expect(planConversion(file, 'safetensors')).rejects.toThrow(
    /"model\.rows\.weight" is laid flat by Megatron-Core, from \[7, 2, 2\], piece by piece/,
  )
})

describe('the boxes of a tensor', () => {
  const box = (offsets: number[], sizes: number[]) => ({ offsets, sizes })

  it.each([
    ['leave a gap', [box([0, 0], [2, 2])], /have 4 of its 8 elements/],
    ['overlap', [box([0, 0], [2, 3]), box([0, 2], [2, 2])], /overlap/],
    ['reach outside', [box([0, 0], [2, 5])], /reaches outside/],
    ['hide a gap by an overlap', [box([0, 0], [2, 3]), box([1, 2], [1, 2])], /overlap/],
  ])('are refused when they %s', (_, boxes, reason) => {
    expect(findUntiled([2, 4], boxes)).toMatch(reason)
  })

  it('are taken when each element is in one', () => {
    expect(findUntiled([2, 4], [box([0, 0], [1, 4]), box([1, 2], [1, 2]), box([1, 0], [1, 2])])).toBeUndefined()
    expect(findUntiled([], [box([], [])])).toBeUndefined()
    expect(findUntiled([0, 3], [])).toBeUndefined()
  })
})

/** Written by torch 2.13 with four processes through HuggingFaceStorageWriter(save_distributed=True). */
describe('parts of torch.distributed.checkpoint in safetensors', () => {
  const parts = join(fixtures, 'hf-parts')
  const first = 'shard-00001-model-00001-of-00001.safetensors'

  function copyOfParts(): string {
    const copy = join(folder, 'parts')
    fs.cpSync(parts, copy, { recursive: true })
    return copy
  }

  it('are joined as torch consolidates them', async () => {
    const joined = await hashesOf(await opened(parts))
    expect(Object.keys(joined).sort()).toEqual([
      'emb.weight',
      'layers.0.bias',
      'layers.0.weight',
      'norm.weight',
      'plain',
    ])
    expect(joined).toEqual(await hashesOf(await opened(join(fixtures, 'hf-parts-joined.safetensors'))))
  })

  it('of one process alone are listed, and never written under the names of the whole', async () => {
    const file = await opened(join(parts, first))
    expect(file.findings.join()).toContain('what one process saved of it')
    await expect(planConversion(file, 'safetensors', {})).rejects.toMatchObject({ code: 'refused' })
    // Also where a part has the form of something whole.
    const info = JSON.stringify({ w: { saved_offsets: [0] } })
    writeTensors(join(folder, first), [floats('w', [2], [1, 2])], { DCP_SHARDING_INFO: info })
    writeTensors(join(folder, 'target.safetensors'), [floats('w', [2], [0, 0])])
    const plan = matchTensors(await opened(join(folder, first)), await opened(join(folder, 'target.safetensors')))
    expect(() => ensureTransferable(plan)).toThrow('what one process saved of it')
  })

  it('that lack a process, a piece or an offset are refused with what is missing', async () => {
    const copy = copyOfParts()
    fs.rmSync(join(copy, first.replace('shard-00001', 'shard-00003')))
    await expect(openTensors(storage, copy)).rejects.toThrow('the files of process 3 are not there')
    fs.copyFileSync(join(copy, first), join(copy, first.replace('shard-00001', 'shard-00003')))
    await expect(openTensors(storage, copy)).rejects.toThrow(/overlap|pieces/)
    const bytes = fs.readFileSync(join(copy, first)).toString('latin1')
    fs.writeFileSync(join(copy, first), bytes.replace('saved_offsets', 'saved_offsetz'), 'latin1')
    await expect(openTensors(storage, copy)).rejects.toThrow('gives no offsets')
  })

  it('that one process saved in full are whole by themselves', async () => {
    const info = JSON.stringify({ w: { saved_offsets: [0] } })
    const path = join(folder, 'model-00001-of-00001.safetensors')
    writeTensors(path, [floats('w', [2], [1, 2])], { format: 'pt', DCP_SHARDING_INFO: info })
    const file = await opened(path)
    expect(file.findings).toEqual([])
    await expect(planConversion(file, 'safetensors', {})).resolves.toBeDefined()
  })
})
