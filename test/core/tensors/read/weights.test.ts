import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { average, planAverage } from '../../../../src/core/tensors/average/index.js'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { weightsOf, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { matchTensors, transfer } from '../../../../src/core/tensors/transfer/index.js'
import { opened } from './opened-files.js'

const storage = localStorage()
const fixture = (name: string) => new URL(`../../../fixtures/parts/${name}`, import.meta.url).pathname
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-parts-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

const model = ['bn.bias', 'bn.num_batches_tracked', 'bn.running_mean', 'bn.running_var', 'bn.weight', 'emb.weight', 'head.weight'] // prettier-ignore
const namesOf = ({ tensors }: TensorFile) => tensors.map(({ name }) => name).sort()
const prefixed = (prefix: string) => model.map((name) => prefix + name)

describe('the weights of a file', () => {
  it.each([
    ['timm.pt', 'state_dict', ['epoch', 'arch', 'optimizer', 'state_dict_ema', 'metric']],
    ['composer.pt', 'state.model', ['rng', 'state.optimizers', 'state.timestamp']],
    ['legacy.pt', 'model', ['optimizer', 'epoch', 'args']],
    ['dino.pt', 'student', ['teacher', 'optimizer', 'args']],
  ])('of %s are those under %s', async (name, path, leftOut) => {
    const weights = weightsOf(await opened(fixture(name)))
    expect(namesOf(weights.file)).toEqual(model)
    expect([weights.path, weights.leftOut.map((one) => one.path)]).toEqual([path, leftOut])
  })

  it.each(['yolo.pt', 'modelobj.pt'])(
    'of a whole module in %s are its state_dict: no attributes, no buffers that are not saved',
    async (name) => {
      const weights = weightsOf(await opened(fixture(name)))
      expect(namesOf(weights.file)).toEqual(model)
      expect(weights.leftOut.at(-1)).toEqual({ path: 'what its modules keep beside their state', tensors: 2 })
    },
  )

  it.each([
    ['compiled.pt', ''],
    ['compiled-within.pt', 'model'],
  ])('of a whole module that torch.compile made, in %s, have the names of its state_dict', async (name, path) => {
    const weights = weightsOf(await opened(fixture(name)))
    expect([namesOf(weights.file), weights.path]).toEqual([prefixed('_orig_mod.'), path])
  })

  it('that Lightning averages are its state_dict, as ema too; those under training have a key of their own', async () => {
    const file = await opened(fixture('lightning-averaging.ckpt'))
    const pathOf = (part?: string) => weightsOf(file, part).path
    expect([pathOf(), pathOf('ema'), pathOf('current_model_state')]).toEqual([
      ...['state_dict', 'state_dict', 'current_model_state'],
    ])
  })

  it('of a lone layer have its own names', async () => {
    expect(namesOf(weightsOf(await opened(fixture('lone.pt'))).file)).toEqual(['bias', 'weight'])
  })

  it('of nanoGPT are the model, of nnU-Net the network', async () => {
    const { path, file } = weightsOf(await opened(fixture('nanogpt.pt')))
    expect([path, namesOf(file)[0]]).toEqual(['model', '_orig_mod.lm_head.weight'])
    expect(weightsOf(await opened(fixture('nnunet.pth'))).path).toBe('network_weights')
  })

  it('are several models where nothing tells which, without their optimizer', async () => {
    const weights = weightsOf(await opened(fixture('gan.pt')))
    expect(namesOf(weights.file)).toEqual([...prefixed('d.'), ...prefixed('g.')])
    expect([weights.isSeveral, weights.leftOut]).toEqual([true, [{ path: 'g_optim', tensors: 9 }]])
  })

  it('are all of a state_dict, also of one with extra state in it', async () => {
    const file = await opened(fixture('extra.pt'))
    expect(weightsOf(file).file).toBe(file)
  })

  it('are not the state of an optimizer, unless that is asked for', async () => {
    const file = await opened(fixture('optim.pt'))
    expect(() => weightsOf(file)).toThrow('holds no weights of a model, but the state of an optimizer')
    expect(weightsOf(file, 'optimizer').file.tensors).toHaveLength(9)
  })
})

describe('a part that is asked for', () => {
  it.each([
    ['ema', 'state_dict_ema'],
    ['state_dict_ema', 'state_dict_ema'],
    ['model', 'state_dict'],
  ])('%s of timm is %s', async (part, path) => {
    expect(weightsOf(await opened(fixture('timm.pt')), part).path).toBe(path)
  })

  it('may be the last of its keys', async () => {
    expect(weightsOf(await opened(fixture('composer.pt')), 'model').path).toBe('state.model')
  })

  it('may lie farther in: averaged weights in the state of a callback', async () => {
    const file = await opened(fixture('lightning-ema.ckpt'))
    expect(weightsOf(file).path).toBe('state_dict')
    for (const part of ['ema', 'callbacks.EMA.ema_state_dict']) {
      const weights = weightsOf(file, part)
      expect([weights.path, namesOf(weights.file)]).toEqual(['callbacks.EMA.ema_state_dict', ['net.w']])
    }
  })

  it('that is not there is a mistake, told with what there is; so is one that could be several', async () => {
    const file = await opened(fixture('gan.pt'))
    expect(() => weightsOf(file, 'ema')).toThrow(expect.objectContaining({ code: 'usage', hint: expect.stringContaining('g (model), d (model), g_optim (optimizer)') as string }) as Error) // prettier-ignore
    expect(() => weightsOf(file, 'model')).toThrow('several parts')
  })
})

describe('what is written for torch', () => {
  const carry = async (source: string, target: string, output: string, options = {}) => {
    const [from, into] = [weightsOf(await opened(source)).file, weightsOf(await opened(target)).file]
    const plan = matchTensors(from, into)
    const written = await transfer(storage, plan, at(output), options)
    return { written, file: await opened(at(output)) }
  }

  it('has all that the target has around its weights, in its place', async () => {
    const { written, file } = await carry(fixture('timm.pt'), fixture('composer.pt'), 'out.pt')
    expect(written.keepsSurroundings).toBe(true)
    const target = await opened(fixture('composer.pt'))
    expect(namesOf(file)).toEqual(namesOf(target))
    expect(file.values).toEqual(target.values)
    expect(weightsOf(file).path).toBe('state.model')
  })

  it('keeps every other tensor bit for bit', async () => {
    await average(
      storage,
      planAverage([await opened(fixture('composer.pt')), await opened(fixture('composer-b.pt'))], await opened(fixture('composer-b.pt'))), // prettier-ignore
      { path: at('mean.pt'), format: 'torch' },
    )
    const [mean, newest] = [await opened(at('mean.pt')), await opened(fixture('composer-b.pt'))]
    const others = namesOf(newest).filter((name) => !name.startsWith('state.model.'))
    expect(others).toHaveLength(10)
    for (const name of others) expect([name, await bytesOf(mean, name)]).toEqual([name, await bytesOf(newest, name)])
    expect(await bytesOf(mean, 'state.model.bn.bias')).not.toEqual(await bytesOf(newest, 'state.model.bn.bias'))
  })

  it('is one state_dict with weightsOnly, for a whole module, and for a .ckpt that goes into another name', async () => {
    const lightning = fixture('epoch=0-step=10.ckpt')
    for (const [target, output, options] of [
      [fixture('composer.pt'), 'bare.pt', { weightsOnly: true }],
      [lightning, 'bare-lightning.pt', {}],
    ] as const) {
      const { written, file } = await carry(target, target, output, options)
      expect(written.keepsSurroundings).toBeUndefined()
      expect(namesOf(file)).toEqual(namesOf(weightsOf(await opened(target)).file))
    }
    const { file } = await carry(lightning, lightning, 'kept.ckpt')
    expect(weightsOf(file).path).toBe('state_dict')
    expect(file.values).toEqual((await opened(lightning)).values)
  })

  it('keeps extra state of modules, nested as it is', async () => {
    for (const [name, write] of [
      ['carried.pt', async () => (await carry(fixture('extra.pt'), fixture('extra.pt'), 'carried.pt')).file],
      ['converted.pt', async () => converted(fixture('extra.pt'), 'converted.pt')],
    ] as const) {
      const file = await write()
      expect([name, file.values]).toEqual([name, (await opened(fixture('extra.pt'))).values])
    }
  })

  it('keeps parameters as parameters', async () => {
    const { file } = await carry(fixture('param.pt'), fixture('param.pt'), 'out.pt')
    expect(namesOf(file)).toEqual(namesOf(await opened(fixture('param.pt'))))
    expect(fs.readFileSync(at('out.pt')).includes('_rebuild_parameter')).toBe(true)
  })

  it('is the state_dict alone where a file is converted, whatever it held', async () => {
    for (const name of ['nnunet.pth', 'timm.pt', 'yolo.pt', 'composer.pt', 'legacy.pt']) {
      const file = await converted(fixture(name), `${name}.pt`)
      expect([name, file.isNested, [...file.opaque]]).toEqual([name, false, []])
      expect(namesOf(file)).toEqual(namesOf(weightsOf(await opened(fixture(name))).file))
    }
  })

  async function converted(path: string, output: string): Promise<TensorFile> {
    await convert(storage, await planConversion(await opened(path), 'torch'), at(output))
    return opened(at(output))
  }
})

async function bytesOf(file: TensorFile, name: string): Promise<string> {
  const tensor = file.tensors.find((one) => one.name === name)
  if (tensor === undefined) return 'absent'
  const { chunksOf } = await import('../../../../src/core/tensors/read/tensor.js')
  const parts: Buffer[] = []
  for await (const chunk of chunksOf(await file.dataOf(tensor))) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts).toString('hex')
}
