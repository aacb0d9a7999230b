/** What torch 1.13 and torch 2 themselves read out of 282 files, 196 of them hostile. */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { CkptError, FormatError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors } from '../../../../src/core/tensors/read/open.js'
import { chunksOf, type TensorFile } from '../../../../src/core/tensors/read/tensor.js'
import { nameOfTorchDtype } from '../../../../src/core/tensors/read/torch-dtypes.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/torch/', import.meta.url).pathname

interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly sha256: string
}

interface Expected {
  readonly tensors?: Record<string, Tensor>
  readonly state_dict?: Record<string, Tensor>
  readonly same_path?: readonly (Tensor & { readonly path: string })[]
  readonly special?: unknown
  readonly hostile?: boolean
  readonly error?: string
  readonly expect?: string
  readonly must_not?: string
  readonly may_refuse?: boolean
}

async function read(file: TensorFile, chunk?: number): Promise<Record<string, Tensor>> {
  const tensors: [string, Tensor][] = []
  for (const tensor of file.tensors) {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const part of chunksOf(await file.dataOf(tensor), chunk)) {
      hash.update(part)
      bytes += part.length
    }
    expect(bytes, tensor.name).toBe(tensor.bytes)
    tensors.push([tensor.name, { dtype: tensor.dtype, shape: tensor.shape.map(Number), sha256: hash.digest('hex') }])
  }
  return Object.fromEntries(tensors)
}

function told(tensors: Record<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, sha256 }]) => [
      name,
      { dtype: nameOfTorchDtype(dtype), shape, sha256 },
    ]),
  )
}

/** Names of a module's state_dict, out of the attributes that lead to its tensors. */
function plain(tensors: Record<string, Tensor>): Record<string, Tensor> {
  if (!Object.keys(tensors).some((name) => /(?:^|\.)_modules\./.test(name))) return tensors
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name.replace(/_(?:modules|parameters|buffers)\./g, ''), tensor]),
  )
}

const suites = [
  ['torch 2', 'torch2'],
  ['torch 1.13', 'torch1'],
] as const

afterEach(() => {
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(fs.existsSync('ckpt-was-here-1')).toBe(false)
})

describe.each(suites)('files of %s', (_, folder) => {
  const { files } = JSON.parse(fs.readFileSync(join(fixtures, `${folder}.json`), 'utf8')) as {
    files: Record<string, Expected>
  }
  const all = Object.entries(files)
  const friendly = all.filter(([, want]) => want.hostile !== true && want.error === undefined)
  const hostile = all.filter(([, want]) => want.hostile === true || want.error !== undefined)

  it.each(friendly)('%s: names, dtypes, shapes and every value are what torch reads', async (name, want) => {
    const path = join(fixtures, folder, name)
    if (name === 'torchscript.pt') {
      // Since then its parameters are read; what torch.jit.load gives of others is in formats.test.ts.
      const program = await openTensors(storage, path)
      expect(Object.keys(await read(program))).toContain('2.running_mean')
      await program.close()
      return
    }
    const file = await openTensors(storage, path)
    expect(file.unsafe).toEqual([])
    const got = await read(file)
    expect(await read(file, 5)).toEqual(got)
    const expected = told(plain(want.state_dict ?? want.tensors ?? {}))
    if (name === 'keys_odd.pt') {
      // A pickled enum member has its value and not its name.
      expected['Colour(1)'] = expected['Colour.RED'] ?? expect.unreachable()
      delete expected['Colour.RED']
      for (const { path, ...tensor } of want.same_path ?? []) Object.assign(expected, told({ [`${path}#2`]: tensor }))
    }
    if (want.special === undefined) expect(got).toEqual(expected)
    else expect(got).toMatchObject(expected)
    await file.close()
  })

  it.each(hostile)('%s: is a clear error at once, and nothing of it is run', async (name, want) => {
    const path = join(fixtures, folder, name)
    const began = process.cpuUsage()
    try {
      const file = await openTensors(storage, path)
      if (file.unsafe.length === 0) await read(file)
      await file.close()
      const isListed = want.expect?.includes('listing') === true
      if (!isListed) expect(file.unsafe.join(), want.must_not).toMatch(/loading it with Python would run that/)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      expect(error).toBeInstanceOf(FormatError)
      expect(error.exitStatus).toBe(4)
      expect(error.message).toMatch(/.{20}/)
    }
    const { user, system } = process.cpuUsage(began)
    // What collects the garbage works beside, and counts too.
    expect(user + system, 'microseconds of work').toBeLessThan(1_000_000)
  })
})
