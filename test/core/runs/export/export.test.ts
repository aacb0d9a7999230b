import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  chooseToExport,
  openExport,
  planExport,
  writeExport,
  type ExportRequest,
} from '../../../../src/core/runs/export/index.js'
import { StorageError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { failingAmid } from '../../../refusing-storage.js'
import { copyFixture, makeFolder } from '../../checkpoints/layouts/folders.js'
import { floats, floatsIn, readTensors, writeTensors } from '../../tensors/transfer/files.js'

const storage = localStorage()
const wait = async () => undefined
const none = { orders: [], where: [] }

interface Options extends Partial<ExportRequest> {
  readonly which?: string
  readonly force?: boolean
  readonly rename?: (name: string) => string
  readonly dtype?: 'F16' | 'F8_E4M3FNUZ'
  readonly onProgress?: (done: number, total: number) => void
}

/** Exports into `into`; gives what was left out and warned of. */
async function exported(
  path: string,
  into: string,
  { which, force = false, rename, dtype, onProgress, ...asked }: Options = {},
) {
  const request = { path, which, query: none, verify: 'quick' } as const
  const { checkpoint } = await chooseToExport(storage, request, { now: 1e9, wait })
  const changesTensors = rename !== undefined || dtype !== undefined
  const plan = await planExport(storage, checkpoint, { changesTensors, ...asked })
  const conversion = {
    ...(rename === undefined ? {} : { rename }),
    ...(dtype === undefined ? {} : { dtypeFor: () => dtype }),
  }
  const open = await openExport(storage, checkpoint, plan, { format: asked.format ?? 'safetensors', conversion, dtype })
  try {
    const told = onProgress === undefined ? {} : { onProgress }
    const written = await writeExport(storage, open, into, {
      wait,
      force,
      readsThrough: onProgress !== undefined,
      ...told,
    })
    return { checkpoint, plan, written }
  } finally {
    await open.close()
  }
}

function tree(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(join(folder, name)).isFile())
    .sort()
}

const namesIn = (folder: string) => [...readTensors(join(folder, 'model.safetensors')).tensors.keys()]

const target = () => join(makeFolder(), 'served')

/** A checkpoint of the Trainer, with these weights beside its configuration and what resuming needs. */
function trainerRun(make: (checkpoint: string) => void): string {
  const run = makeFolder()
  const checkpoint = join(run, 'checkpoint-5')
  fs.mkdirSync(checkpoint)
  const state = { global_step: 5, epoch: 1, log_history: [{ step: 5, eval_loss: 0.5 }] }
  fs.writeFileSync(join(checkpoint, 'trainer_state.json'), JSON.stringify(state))
  fs.writeFileSync(join(checkpoint, 'config.json'), '{\n  "model_type": "gpt2",\n  "dtype": "float32"\n}\n')
  make(checkpoint)
  return run
}

describe('an export', () => {
  it('of the Trainer has the weights bit for bit, the configuration, and nothing that only resuming needs', async () => {
    const run = copyFixture('frameworks/hf_trainer/run')
    const into = target()
    const { checkpoint, plan } = await exported(run, into, { which: 'best' })
    expect(tree(into)).toEqual(['README.md', 'config.json', 'model.safetensors'])
    const bytes = (folder: string) => fs.readFileSync(join(folder, 'model.safetensors'))
    expect(bytes(into).equals(bytes(checkpoint.path))).toBe(true)
    expect(plan.leftOut).toContain('optimizer.pt')
  })

  it('takes the tokenizer and the processor that lie in the run alone, and no other file of a project', async () => {
    const run = trainerRun((checkpoint) => writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])]))
    for (const name of ['tokenizer.json', 'preprocessor_config.json', 'chat_template.jinja', 'notes.txt', 'train.py']) {
      fs.writeFileSync(join(run, name), '{}')
    }
    const into = target()
    await exported(run, into)
    expect(tree(into)).toEqual([
      'README.md',
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'preprocessor_config.json',
      'tokenizer.json',
    ])
  })

  it('makes safetensors of pytorch_model.bin, and of the index of several', async () => {
    const run = trainerRun((checkpoint) => {
      for (const [index, name] of ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'].entries()) {
        writeTensors(join(checkpoint, name), [floats(`w${index}`, [1], [index])])
      }
      const map = { w0: 'pytorch_model-00001-of-00002.bin', w1: 'pytorch_model-00002-of-00002.bin' }
      fs.writeFileSync(join(checkpoint, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }))
    })
    const into = target()
    await exported(run, into)
    expect(tree(into)).toEqual(['README.md', 'config.json', 'model.safetensors'])
    expect(namesIn(into)).toEqual(['w0', 'w1'])
  })

  it.each([
    ['F16', 'float16'],
    ['F8_E4M3FNUZ', 'float8_e4m3fnuz'],
  ] as const)('names the dtype in the configuration that the weights have: %s', async (dtype, name) => {
    const run = trainerRun((checkpoint) => writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])]))
    const into = target()
    await exported(run, into, { dtype })
    expect(fs.readFileSync(join(into, 'config.json'), 'utf8')).toBe(
      `{\n  "model_type": "gpt2",\n  "dtype": "${name}"\n}\n`,
    )
  })

  it('tells of a large file that it copies how far it is', async () => {
    const size = 70 << 20
    const run = trainerRun((checkpoint) => {
      const path = join(checkpoint, 'model.safetensors')
      const entry = { dtype: 'U8', shape: [size], data_offsets: [0, size] }
      const text = JSON.stringify({ __metadata__: { format: 'pt' }, w: entry })
      const length = Buffer.alloc(8)
      length.writeBigUInt64LE(BigInt(text.length))
      fs.writeFileSync(path, Buffer.concat([length, Buffer.from(text)]))
      fs.truncateSync(path, 8 + text.length + size)
    })
    const parts: number[] = []
    await exported(run, target(), { onProgress: (done, total) => parts.push(done / total) })
    expect(parts.some((part) => part > 0.5 && part < 0.99)).toBe(true)
    expect(parts).toEqual(parts.toSorted((a, b) => a - b))
  })

  it('of diffusers is the pipeline with the trained parts; --part ema takes the averaged ones in their place', async () => {
    const run = copyFixture('frameworks/diffusers/run')
    const [plain, averaged] = [target(), target()]
    const { checkpoint } = await exported(run, plain)
    await exported(run, averaged, { part: 'ema' })
    const names = [
      'README.md',
      'model_index.json',
      'scheduler/scheduler_config.json',
      'unet/config.json',
      'unet/diffusion_pytorch_model.safetensors',
    ]
    expect([tree(plain), tree(averaged)]).toEqual([names, names])
    const weights = (folder: string) => fs.readFileSync(join(folder, 'diffusion_pytorch_model.safetensors'))
    expect(weights(join(averaged, 'unet')).equals(weights(join(checkpoint.path, 'unet_ema')))).toBe(true)
    expect(weights(join(plain, 'unet')).equals(weights(join(checkpoint.path, 'unet')))).toBe(true)
  })

  it('of a sentence transformer has the folders of its modules', async () => {
    const run = trainerRun((checkpoint) => {
      for (const name of ['1_Pooling', '2_Dense', 'runs']) fs.mkdirSync(join(checkpoint, name))
      fs.writeFileSync(join(checkpoint, 'modules.json'), '[]')
      fs.writeFileSync(join(checkpoint, '1_Pooling/config.json'), '{}')
      fs.writeFileSync(join(checkpoint, 'runs/config.json'), '{}')
      writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])])
      writeTensors(join(checkpoint, '2_Dense/pytorch_model.bin'), [floats('w', [1], [1])])
    })
    const into = target()
    await exported(run, into)
    expect(tree(into)).toEqual([
      '1_Pooling/config.json',
      '2_Dense/model.safetensors',
      'README.md',
      'config.json',
      'model.safetensors',
      'modules.json',
    ])
  })

  it('of Lightning is the bare state_dict, and the settings of its run', async () => {
    const into = target()
    const rename = (name: string) => name.replace(/^net\./, '')
    await exported(copyFixture('frameworks/lightning/run'), into, { which: 'best', rename })
    expect(tree(into)).toEqual(['README.md', 'hparams.yaml', 'model.safetensors'])
    expect(namesIn(into).filter((name) => /state_dict|optimizer|^net\./.test(name))).toEqual([])
  })

  it("of Lightning to torch has what load_from_checkpoint reads, and nothing of the training's state", async () => {
    const into = target()
    const run = copyFixture('frameworks/lightning/run')
    const { plan } = await exported(run, into, { which: 'best', format: 'torch' })
    expect([plan.warnings, tree(into)]).toEqual([[], ['README.md', 'hparams.yaml', 'model.ckpt']])
    const file = await openTensors(storage, join(into, 'model.ckpt'))
    await file.close()
    expect(file.tensors.length).toBeGreaterThan(0)
    expect(file.tensors.every(({ name }) => name.startsWith('state_dict.'))).toBe(true)
    const { pairs } = file.values as unknown as { pairs: [string, unknown][] }
    const beside = ['epoch', 'global_step', 'hparams_name', 'hyper_parameters', 'pytorch-lightning_version']
    expect(pairs.map(([key]) => key).sort()).toEqual(beside)
  })

  it('of Lightning to safetensors says that load_from_checkpoint does not read it', async () => {
    const { plan } = await exported(copyFixture('frameworks/lightning/run'), target(), { which: 'best' })
    expect(plan.warnings.join()).toContain('--to torch')
  })

  it('of SpeechBrain and Keras stays in the form that their loaders read', async () => {
    const [speech, keras] = [target(), target()]
    await exported(copyFixture('asr_run'), speech)
    await exported(copyFixture('frameworks/keras/run/ckpts'), keras)
    expect(tree(speech)).toEqual(['README.md', 'lm.ckpt', 'model.ckpt'])
    expect(tree(keras)).toEqual(['README.md', 'model.05-1.6537.keras'])
  })

  it('of spaCy is the whole folder of the model, which its loader reads', async () => {
    const run = new URL('../../../fixtures/runs/frameworks/spacy/run', import.meta.url).pathname
    const into = target()
    const { checkpoint } = await exported(run, into, { which: 'model-best' })
    for (const name of tree(checkpoint.path)) {
      expect(fs.readFileSync(join(into, name)), name).toEqual(fs.readFileSync(join(checkpoint.path, name)))
    }
  })

  it("of Keras' shards has the index and all of them; asked for safetensors it is one file", async () => {
    const [own, open] = [target(), target()]
    const run = copyFixture('../formats/hdf5')
    const which = 'sharded.weights.json'
    await exported(run, own, { which })
    expect(tree(own)).toEqual([
      'README.md',
      'sharded.weights.json',
      'sharded_00000.weights.h5',
      'sharded_00001.weights.h5',
    ])
    await exported(run, open, { which, format: 'safetensors' })
    expect(tree(open)).toEqual(['README.md', 'model.safetensors'])
    expect(namesIn(open)).toHaveLength(8)
  })

  it('puts together what processes saved each for itself', async () => {
    const into = target()
    await exported(copyFixture('frameworks/torchtitan/run'), into)
    expect(namesIn(into).length).toBeGreaterThan(0)
    expect(namesIn(into).filter((name) => name.includes('optim'))).toEqual([])
  })

  it('of a checkpoint chosen by name or by an expression is that one', async () => {
    const run = copyFixture('frameworks/hf_trainer/run')
    expect((await exported(run, target(), { which: 'checkpoint-12' })).checkpoint.name).toBe('checkpoint-12')
    expect((await exported(run, target(), { which: 'step < 18' })).checkpoint.name).toBe('checkpoint-12')
  })

  it('takes a folder of a model by itself, and a file', async () => {
    const folder = makeFolder()
    writeTensors(join(folder, 'pytorch_model.bin'), [floats('w', [2], [1, 2])])
    fs.writeFileSync(join(folder, 'config.json'), '{}')
    const [one, other] = [target(), target()]
    await exported(folder, one)
    await exported(join(folder, 'pytorch_model.bin'), other)
    expect(tree(one)).toEqual(['README.md', 'config.json', 'model.safetensors'])
    expect(floatsIn(readTensors(join(other, 'model.safetensors')), 'w')).toEqual([1, 2])
  })

  it('is refused where something lies already; forced it replaces weights, and leaves the rest', async () => {
    const run = trainerRun((checkpoint) => writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])]))
    const into = target()
    fs.mkdirSync(into)
    fs.writeFileSync(join(into, 'server.toml'), 'mine')
    fs.writeFileSync(join(into, 'pytorch_model.bin'), 'old')
    await expect(exported(run, into)).rejects.toMatchObject({ code: 'refused' })
    expect(tree(into)).toEqual(['pytorch_model.bin', 'server.toml'])
    const { written } = await exported(run, into, { force: true })
    expect(tree(into)).toEqual(['README.md', 'config.json', 'model.safetensors', 'server.toml'])
    expect(written.removed).toEqual(['pytorch_model.bin'])
    expect(fs.readdirSync(dirname(into))).toEqual(['served'])
  })

  it('leaves nothing behind where it fails', async () => {
    const run = trainerRun((checkpoint) => writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])]))
    const parent = makeFolder()
    const { checkpoint } = await chooseToExport(
      storage,
      { path: run, query: none, verify: 'quick' },
      { now: 1e9, wait },
    )
    const plan = await planExport(storage, checkpoint, { changesTensors: false })
    const open = await openExport(storage, checkpoint, plan, { format: 'safetensors', conversion: {} })
    fs.rmSync(join(checkpoint.path, 'config.json'))
    const failing = writeExport(storage, open, join(parent, 'a/b'), { wait, force: false, readsThrough: false })
    await expect(failing).rejects.toMatchObject({ code: 'not-found' })
    expect(fs.readdirSync(parent)).toEqual([])
    await open.close()
  })

  it('of parts that each process saved of every tensor joins them', async () => {
    const run = makeFolder()
    fs.mkdirSync(join(run, 'step-3'))
    for (const rank of [1, 2]) {
      const info = { format: 'pt', DCP_SHARDING_INFO: `{"w": {"saved_offsets": [${2 * rank - 2}]}}` }
      const path = join(run, 'step-3', `shard-0000${rank}-model-00001-of-00001.safetensors`)
      writeTensors(path, [floats('w', [2], [rank, rank])], info)
    }
    const into = target()
    await exported(run, into)
    expect(floatsIn(readTensors(join(into, 'model.safetensors')), 'w')).toEqual([1, 1, 2, 2])
  })

  it('of a checkpoint whose weights are cut is refused, and another is taken from its run', async () => {
    const run = copyFixture('frameworks/hf_trainer/run')
    const cut = join(run, 'checkpoint-30', 'model.safetensors')
    if (fs.existsSync(cut)) fs.truncateSync(cut, 100)
    await expect(exported(join(run, 'checkpoint-30'), target())).rejects.toMatchObject({ code: 'damaged' })
    expect((await exported(run, target())).checkpoint.name).not.toBe('checkpoint-30')
  })
})

it('takes no right to run as somebody else along', async () => {
  const run = trainerRun((checkpoint) => {
    writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])])
    fs.writeFileSync(join(checkpoint, 'tokenizer.json'), '{}')
    fs.chmodSync(join(checkpoint, 'tokenizer.json'), 0o6755)
  })
  const into = target()
  await exported(run, into)
  expect(fs.statSync(join(into, 'tokenizer.json')).mode & 0o7777).toBe(0o755)
})

describe.runIf(process.geteuid?.() === 0)("a link in somebody else's run", () => {
  const nobody = 65_534
  const asRoot = localStorage({ custody: { user: 0 } })

  function linking(mode: number): string {
    const secret = join(makeFolder(), 'secret')
    fs.chmodSync(dirname(secret), 0o755)
    fs.writeFileSync(secret, 'secret')
    fs.chmodSync(secret, mode)
    const run = trainerRun((checkpoint) => {
      writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])])
      fs.symlinkSync(secret, join(checkpoint, 'vocab.txt'))
    })
    fs.chownSync(run, nobody, nobody)
    fs.lchownSync(join(run, 'checkpoint-5', 'vocab.txt'), nobody, nobody)
    return run
  }

  async function planned(run: string, more: { readonly beside?: string; readonly format?: 'torch' } = {}) {
    const request = { path: run, which: undefined, query: none, verify: 'quick' } as const
    const { checkpoint } = await chooseToExport(asRoot, request, { now: 1e9, wait })
    return planExport(asRoot, checkpoint, { changesTensors: false, ...more })
  }

  it('that leads to what its owner cannot read is refused', async () => {
    await expect(planned(linking(0o640))).rejects.toMatchObject({ code: 'refused' })
  })

  it('put in the place of a file after that was looked at is not followed, by a plain reader neither', async () => {
    const run = linking(0o644)
    const checkpoint = join(run, 'checkpoint-5')
    const plan = await planned(run)
    const request = { path: run, which: undefined, query: none, verify: 'quick' } as const
    const chosen = await chooseToExport(asRoot, request, { now: 1e9, wait })
    const open = await openExport(asRoot, chosen.checkpoint, plan, { format: 'safetensors', conversion: {} })
    const secret = join(makeFolder(), 'secret')
    fs.writeFileSync(secret, 'secret')
    fs.unlinkSync(join(checkpoint, 'vocab.txt'))
    fs.symlinkSync(secret, join(checkpoint, 'vocab.txt'))
    const into = target()
    const written = writeExport(asRoot, open, into, { wait, force: false, readsThrough: false })
    await expect(written).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('vocab.txt') as string,
    })
    expect(fs.existsSync(into)).toBe(false)
    await open.close()
  })

  it('that an index names as a shard, or that lies in --beside, is refused too', async () => {
    const run = linking(0o644)
    const checkpoint = join(run, 'checkpoint-5')
    const secret = join(makeFolder(), 'model-00001-of-00001.safetensors')
    writeTensors(secret, [floats('w', [1], [1])])
    fs.chmodSync(secret, 0o600)
    fs.rmSync(join(checkpoint, 'model.safetensors'))
    fs.symlinkSync(secret, join(checkpoint, 'model-00001-of-00001.safetensors'))
    const index = { weight_map: { w: 'model-00001-of-00001.safetensors' } }
    fs.writeFileSync(join(checkpoint, 'model.safetensors.index.json'), JSON.stringify(index))
    await expect(planned(run)).rejects.toMatchObject({ code: 'refused' })
    await expect(planned(run, { format: 'torch' })).rejects.toMatchObject({ code: 'refused' })
    const beside = makeFolder()
    fs.symlinkSync(secret, join(beside, 'tokenizer.json'))
    fs.chownSync(beside, nobody, nobody)
    const own = trainerRun((folder) => writeTensors(join(folder, 'model.safetensors'), [floats('w', [1], [1])]))
    await expect(planned(own, { beside })).rejects.toMatchObject({ code: 'refused' })
  })

  it('that leads to what everybody may read is followed', async () => {
    expect((await planned(linking(0o644))).items.map(({ to }) => to)).toContain('vocab.txt')
  })
})

it('copies no file that an index names and that has no name of weights', async () => {
  const run = trainerRun((checkpoint) => {
    for (const name of ['ckpt.yaml', 'model-00001-of-00001.safetensors']) {
      writeTensors(join(checkpoint, name), [floats('w', [1], [1])], { format: 'pt' })
    }
    const index = { weight_map: { w: 'ckpt.yaml' } }
    fs.writeFileSync(join(checkpoint, 'model.safetensors.index.json'), JSON.stringify(index))
  })
  const into = target()
  await exported(run, into)
  expect(tree(into)).toEqual(['README.md', 'config.json', 'model.safetensors'])
})

it.each(['/', '..', '../..', '.'])('does not go into a folder that is a link to %s', async (to) => {
  const run = trainerRun((checkpoint) => {
    writeTensors(join(checkpoint, 'model.safetensors'), [floats('w', [1], [1])])
    fs.symlinkSync(to, join(checkpoint, 'unet'))
  })
  const into = target()
  const { plan } = await exported(run, into)
  expect(tree(into)).toEqual(['README.md', 'config.json', 'model.safetensors'])
  expect(plan.leftOut).toContain('unet/')
})

describe('a file that the system stops to read amid its bytes', () => {
  it.each(['copied', 'converted'])('is unreadable to an export (exit status 6) where it is %s', async (how) => {
    const run = makeFolder()
    const folder = join(run, 'checkpoint-1')
    fs.mkdirSync(folder)
    fs.writeFileSync(join(folder, 'trainer_state.json'), '{"global_step": 1, "epoch": 1.0, "log_history": []}')
    fs.writeFileSync(join(folder, 'config.json'), '{}')
    const weights = join(folder, 'model.safetensors')
    writeTensors(weights, [
      floats(
        'w',
        [4000],
        Array.from({ length: 4000 }, () => 1),
      ),
    ])
    const request = { path: run, which: undefined, query: none, verify: 'quick' } as const
    const { checkpoint } = await chooseToExport(storage, request, { now: 1e9, wait })
    const isConverted = how === 'converted'
    const plan = await planExport(storage, checkpoint, { changesTensors: isConverted })
    const conversion = isConverted ? { dtypeFor: () => 'F16' as const } : {}
    const bad: Storage = {
      ...failingAmid(storage, (path) => path === weights, 8000),
      copyFile: async (_, to) => Promise.reject(new StorageError(to, 'EIO', `${to}: EIO`)),
    }
    const open = await openExport(bad, checkpoint, plan, { format: 'safetensors', conversion })
    const into = join(makeFolder(), 'out')
    const options = { wait, force: false, readsThrough: false }
    await expect(writeExport(bad, open, into, options)).rejects.toMatchObject({ code: 'unreadable', exitStatus: 6 })
    await open.close()
    expect(fs.existsSync(into)).toBe(false)
  })
})
