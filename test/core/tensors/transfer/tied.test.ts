import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { average, planAverage } from '../../../../src/core/tensors/average/index.js'
import { compareTensors } from '../../../../src/core/tensors/compare/index.js'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { tiesOf } from '../../../../src/core/tensors/read/ties.js'
import { matchTensors, reportOf, transfer, transferInPlace } from '../../../../src/core/tensors/transfer/index.js'
import { floats, readTensors, writeTensors } from './files.js'

const storage = localStorage()
const fixture = (name: string) => new URL(`../../../fixtures/tied/${name}`, import.meta.url).pathname
let folder = ''
let open: TensorFile[] = []

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-tied-'))
})
afterEach(async () => {
  for (const file of open) await file.close()
  open = []
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

async function opened(path: string): Promise<TensorFile> {
  const file = await openTensors(storage, path)
  open.push(file)
  return file
}

async function carried(source: string, target: string, output: string) {
  const plan = matchTensors(await opened(source), await opened(target))
  await transfer(storage, plan, at(output))
  return { plan, ties: [...tiesOf(await opened(at(output)))] }
}

const wte = 'transformer.wte.weight'
const head = 'lm_head.weight'

/** A model whose head has no data of its own, as ckpt and safetensors' own `save_model` write it. */
function noted(name: string, values: readonly number[]): string {
  return writeTensors(at(name), [floats('b', [1], [9]), floats('emb.weight', [2], values)], {
    format: 'pt',
    'head.weight': 'emb.weight',
  })
}

describe('tied weights of a target', () => {
  it('are all filled by one name, and stay one storage', async () => {
    const { plan, ties } = await carried(fixture('source-hf.safetensors'), fixture('target-tied.pt'), 'init.pt')
    expect(plan.missing.map(({ name }) => name)).toEqual([])
    expect(reportOf(plan)).toMatchObject({ tied: [{ name: head, kept: wte }], renamed: [], coverage: { bytes: 1 } })
    expect(ties).toEqual([[head, wte]])
  })

  it('are one tensor with a note where safetensors is written, by the name of the embedding', async () => {
    await carried(fixture('source-hf.safetensors'), fixture('target-tied.pt'), 'init.safetensors')
    const { tensors, metadata } = readTensors(at('init.safetensors'))
    expect([...tensors.keys()]).toContain(wte)
    expect([...tensors.keys()]).not.toContain(head)
    expect(metadata).toEqual({ format: 'pt', [head]: wte })
  })

  it('that a note ties are filled by either name, in place too', async () => {
    const target = noted('target', [1, 2])
    const source = writeTensors(at('source'), [floats('head.weight', [2], [5, 6])])
    const plan = matchTensors(await opened(source), await opened(target))
    await transfer(storage, plan, at('out.safetensors'))
    await transferInPlace(storage, plan, at('cloned.safetensors'))
    for (const name of ['out.safetensors', 'cloned.safetensors']) {
      const { tensors, metadata } = readTensors(at(name))
      expect(new Float32Array(Uint8Array.from(tensors.get('emb.weight')?.data ?? []).buffer)).toEqual(Float32Array.of(5, 6)) // prettier-ignore
      expect(metadata).toEqual({ format: 'pt', 'head.weight': 'emb.weight' })
    }
  })

  it('take the last of two different tensors, as load_state_dict does, and it is told', async () => {
    const source = writeTensors(at('source'), [floats('emb.weight', [2], [3, 4]), floats('head.weight', [2], [5, 6])])
    const plan = matchTensors(await opened(source), await opened(noted('target', [1, 2])))
    expect(plan.conflicts.join()).toContain('"head.weight" is taken, "emb.weight" left out')
    expect(plan.matched.map((pair) => pair.source.name)).toEqual(['head.weight', 'head.weight'])
  })

  it('lie in one of several files together', async () => {
    const plan = matchTensors(await opened(fixture('source-hf.safetensors')), await opened(fixture('target-tied.pt')))
    for (const format of ['torch', 'safetensors'] as const) {
      const output = at(`model-${format}`)
      const written = await transfer(storage, plan, output, { format, shardSize: 161 })
      expect(written.files.length).toBeGreaterThan(2)
      const file = await opened(written.path)
      expect([...tiesOf(file)]).toEqual([[head, wte]])
      expect(file.findings).toEqual([])
    }
  })
})

describe('a note of tied weights in a source', () => {
  it('is a name that it has', async () => {
    for (const [name, tensors] of [
      ['gpt2-by-ckpt.safetensors', [wte, head]],
      ['pytorch_model.bin', [wte, head]],
    ] as const) {
      const { plan } = await carried(fixture(name), fixture('target-both.pt'), `from-${name}.pt`)
      expect(plan.matched.map(({ target }) => target.name)).toEqual(expect.arrayContaining([...tensors]))
      expect(plan.unexpected).toEqual([])
    }
  })

  it('is not unexpected where the target has no such name', async () => {
    const target = writeTensors(at('target'), [floats('emb.weight', [2], [0, 0]), floats('b', [1], [0])])
    const plan = matchTensors(await opened(noted('source', [1, 2])), await opened(target), { strict: true })
    expect(plan.unexpected).toEqual([])
  })

  it('makes no difference, and both forms have one mean', async () => {
    const [bin, noting] = [
      await opened(fixture('pytorch_model.bin')),
      await opened(fixture('gpt2-by-ckpt.safetensors')),
    ]
    expect(compareTensors(bin, noting)).toMatchObject({ added: [], removed: [], reshaped: [], recast: [] })
    await average(storage, planAverage([bin, noting], bin), { path: at('mean.pt'), format: 'torch' })
    expect([...tiesOf(await opened(at('mean.pt')))]).toEqual([[head, wte]])
  })

  it('may name another one as kept when it is converted', async () => {
    await convert(storage, await planConversion(await opened(fixture('gpt2-by-ckpt.safetensors')), 'safetensors'), at('new.safetensors')) // prettier-ignore
    const { tensors, metadata } = readTensors(at('new.safetensors'))
    expect([tensors.has(wte), tensors.has(head), metadata?.[head], metadata?.[wte]]).toEqual([true, false, wte, undefined]) // prettier-ignore
  })
})

it('slices of one storage are not tied', async () => {
  const file = await opened(new URL('../../../fixtures/torch/torch1/views.pt', import.meta.url).pathname)
  const slices = file.tensors.filter(({ shared }) => shared !== undefined)
  expect(slices.length).toBeGreaterThan(0)
  for (const [name, kept] of tiesOf(file)) {
    const [one, other] = [name, kept].map((wanted) => slices.find((tensor) => tensor.name === wanted))
    expect(one?.shape).toEqual(other?.shape)
  }
})
