import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import {
  findTensorFolder,
  measureTensor,
  openTensors,
  weightsOf,
  type TensorFile,
} from '../../../../src/core/tensors/read/index.js'
import { opened } from './opened-files.js'

const storage = localStorage()
/**
 * Written by DeepSpeed 0.19.8, with what its own zero_to_fp32 gives of them beside: stage 2 in bfloat16, two groups of
 * parameters, two processes; stage 3 in pieces of 40 elements, three processes. Both with a tied parameter, frozen
 * ones and buffers.
 */
const fixture = (name: string) => new URL(`../../../fixtures/deepspeed/${name}`, import.meta.url).pathname
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-zero-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const dtypes = new Map([
  ['F32', 'float32'],
  ['I64', 'int64'],
])

async function hashesOf(file: TensorFile): Promise<Record<string, unknown>> {
  const hashes: Record<string, unknown> = {}
  for (const tensor of file.tensors) {
    const { sha256 } = await measureTensor(await file.dataOf(tensor), tensor.dtype, { hash: true, stats: false })
    hashes[tensor.name] = { dtype: dtypes.get(tensor.dtype), shape: tensor.shape, sha256 }
  }
  return hashes
}

const expected = (name: string) => JSON.parse(fs.readFileSync(fixture(`${name}.json`), 'utf8')) as unknown

function copyOf(name: string): string {
  const copy = join(folder, name)
  fs.cpSync(fixture(name), copy, { recursive: true })
  return copy
}

describe.each(['zero2-bf16', 'zero3-three'])('a folder of ZeRO, %s', (name) => {
  it('gives what zero_to_fp32.py gives: names, shapes, values', async () => {
    expect(await hashesOf(weightsOf(await opened(fixture(name))).file)).toEqual(expected(name))
  })

  it('is written with its tied parameter tied', async () => {
    const plan = await planConversion(await opened(fixture(name)), 'safetensors')
    expect(plan.tied).toEqual([{ name: 'head.weight', kept: 'embed.weight' }])
    const output = join(folder, 'model.safetensors')
    await convert(storage, plan, output)
    expect(await hashesOf(await opened(output))).toEqual(expected(name))
  })

  it('is refused where a process is missing, with both numbers', async () => {
    const copy = copyOf(name)
    fs.rmSync(join(copy, fs.readdirSync(copy).find((one) => /rank_1_.*optim/.test(one)) ?? ''))
    await expect(openTensors(storage, copy)).rejects.toThrow(
      /has [12] files \*_optim_states\.pt.* among [23] processes/,
    )
  })

  it('is found by the name in `latest`, as DeepSpeed finds it', async () => {
    copyOf(name)
    fs.cpSync(fixture(name), join(folder, 'older'), { recursive: true })
    fs.writeFileSync(join(folder, 'latest'), name)
    expect((await findTensorFolder(storage, folder))?.path).toBe(join(folder, name))
  })
})

describe('a folder of ZeRO', () => {
  it('whose files do not fit together is refused with the counts', async () => {
    const copy = copyOf('zero2-bf16')
    const other = fs.readdirSync(fixture('zero2')).find((one) => one.includes('rank_1_')) ?? ''
    fs.copyFileSync(
      join(fixture('zero2'), other),
      join(copy, fs.readdirSync(copy).find((one) => one.includes('rank_1_')) ?? ''),
    )
    await expect(openTensors(storage, copy)).rejects.toThrow(/process 1 has 1 groups of weights, and the first 2/)
  })

  it.each([
    'mp_rank_01_model_states.pt',
    'expp_rank_0_mp_rank_00_optim_states.pt',
    'layer_01-model_00-model_states.pt',
  ])('with a file %s is refused by its name: its weights are cut in other ways too', async (name) => {
    const copy = copyOf('zero2-bf16')
    fs.writeFileSync(join(copy, name), 'x')
    await expect(openTensors(storage, copy)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(name) as string,
    })
  })
})

describe('one file of ZeRO', () => {
  it('with copies in half precision says where the float32 weights lie', async () => {
    const { findings } = await opened(join(fixture('zero2-bf16'), 'mp_rank_00_model_states.pt'))
    expect(findings.join()).toMatch(/7 of its parameters are copies in half precision: the float32 weights/)
  })

  it('whose parameters are cut is not written as empty ones', async () => {
    const file = await opened(join(fixture('zero3-three'), 'zero_pp_rank_0_mp_rank_00_model_states.pt'))
    await expect(planConversion(file, 'safetensors')).rejects.toThrow(/"module\.scalar" is cut into pieces/)
  })
})

describe.each(['zero2-bf16', 'zero3-three'])('a universal checkpoint made of %s by ds_to_universal', (name) => {
  const universal = `${name}-universal`

  it('gives the same names, shapes and float32 values, a buffer in its own dtype', async () => {
    expect(await hashesOf(weightsOf(await opened(fixture(universal))).file)).toEqual(expected(name))
  })

  it('is written with its tied parameter tied', async () => {
    const plan = await planConversion(await opened(fixture(universal)), 'safetensors')
    expect(plan.tied).toEqual([{ name: 'head.weight', kept: 'embed.weight' }])
    const output = join(folder, 'model.safetensors')
    await convert(storage, plan, output)
    expect(await hashesOf(await opened(output))).toEqual(expected(name))
  })

  it('is refused with the file where the weights of a parameter are not there', async () => {
    const copy = copyOf(universal)
    fs.rmSync(join(copy, 'zero/a.weight/fp32.pt'))
    await expect(openTensors(storage, copy)).rejects.toThrow(/zero\/a\.weight\/fp32\.pt: is not there/)
  })

  it('is refused where it has no weights at all', async () => {
    const copy = copyOf(universal)
    fs.rmSync(join(copy, 'zero'), { recursive: true })
    fs.mkdirSync(join(copy, 'zero'))
    await expect(openTensors(storage, copy)).rejects.toThrow(/zero: has no folder of a parameter/)
  })
})

it('weights of a universal checkpoint that are not as many as their shape has are refused with both', async () => {
  const copy = copyOf('zero3-three-universal')
  fs.copyFileSync(join(copy, 'zero/embed.weight/fp32.pt'), join(copy, 'zero/a.weight/fp32.pt'))
  await expect(openTensors(storage, copy)).rejects.toThrow(
    /a\.weight\/fp32\.pt: has \d+ elements, and the parameter is \[/,
  )
})
