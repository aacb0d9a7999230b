/** Models that are no checkpoints of one training: none of them is listed beside others, so that nothing removes it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'

type Files = Readonly<Record<string, string | Uint8Array>>

const tensors = readFileSync(join(fixtures, 'frameworks/save_pretrained/run/step_1/adapter_model.safetensors'))
const trees = readFileSync(join(fixtures, 'frameworks/lightgbm/run/model.txt'))
const bert = '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 768}'
const lora = (r: number) => `{"peft_type": "LORA", "r": ${r}, "base_model_name_or_path": "a/b"}`
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`
const pickle = '\x80\x04'

const under = (folder: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))
const both = (one: string, other: string, files: Files): Files => ({ ...under(one, files), ...under(other, files) })

const model: Files = { 'config.json': bert, 'model.safetensors': tensors }
const adapter: Files = { 'adapter_config.json': lora(8), 'adapter_model.safetensors': tensors }
const snapshot = `models--a--b/snapshots/${'c0ffee12'.repeat(5)}`

async function found(files: Files): Promise<string[]> {
  const root = write(makeFolder(), files)
  const runs = await findRuns(localStorage(), root)
  return runs.flatMap(({ checkpoints }) => checkpoints.map(({ path }) => path.slice(root.length + 1)))
}

const others: Readonly<Record<string, Files>> = {
  'a config.json of another program': both('epoch_1', 'epoch_2', { ...model, 'config.json': '{"theme": "dark"}' }),
  'a config.json that is a list': both('epoch_1', 'epoch_2', { ...model, 'config.json': '[1, 2]' }),
  'a config.json that is no JSON': both('epoch_1', 'epoch_2', { ...model, 'config.json': 'theme = dark' }),
  'an adapter_config.json of another program': both('ep1', 'ep2', { ...adapter, 'adapter_config.json': '{"usb": 1}' }),
  'an export of CTranslate2': both('step_100', 'step_200', { 'config.json': bert, 'model.bin': 'x' }),
  'an export of OpenVINO': both('step-1', 'step-2', {
    'config.json': bert,
    'openvino_model.bin': 'x',
    'model.xml': 'x',
  }),
  'an export of ONNX': both('step-1', 'step-2', { 'config.json': bert, 'model.onnx': 'x' }),
  'a tokenizer alone': both('step-1', 'step-2', { 'config.json': bert, 'tokenizer.json': '{}' }),
  'models by their names': both('bert-base', 'bert-large', model),
  'models of versions': both('bert-v1', 'bert-v2', model),
  'models of two trainings': both('bert-step-3', 'gpt-step-3', model),
  'models of two folds': both('fold-0-epoch-3', 'fold-1-epoch-3', model),
  'stages with models of two kinds': {
    ...under('step_1', model),
    ...under('step_2', { ...model, 'config.json': bert.replace('768', '1024') }),
  },
  'adapters of two ranks': {
    ...under('step_8', adapter),
    ...under('step_16', { ...adapter, 'adapter_config.json': lora(16) }),
  },
  'adapters with a number': both('lora-8', 'lora-16', adapter),
  'adapters of tasks': both('adapter-1', 'adapter_2', adapter),
  'clones without their large files': both('step1000', 'step2000', { ...model, 'model.safetensors': pointer }),
  clones: both('step1000', 'step2000', { ...model, '.git/HEAD': 'ref: refs/heads/main' }),
  'downloads into a folder': both('step1000', 'step2000', { ...model, '.cache/huggingface/.gitignore': '*' }),
  'a cache of the Hub': both(snapshot, 'models--a--b/refs', model),
  'a cache of the Hub for each revision': both(`step1/${snapshot}`, `step2/${snapshot}`, model),
  'a cache with a folder that counts': both(`${snapshot}/step_1`, 'models--a--b/refs', adapter),
  'notes as LightGBM would call a model': { 'credit.txt': 'tree of costs', 'a.txt': 'tree', 'b.txt': '', 'c.txt': 'x' },
  'models of LightGBM by their names': { 'credit.txt': trees, 'churn.txt': `${trees.toString()}\n` },
}

describe('nothing is a checkpoint of', () => {
  it.each(Object.entries(others))('%s', async (_, files) => {
    expect(await found(files)).toEqual([])
  })
})

describe('models of PaddlePaddle side by side are a run each, with nothing to remove', () => {
  const params: Files = { 'model_state.pdparams': pickle }
  it.each([
    ['ernie-model-1', 'bert-model-1'],
    ['model-1.0', 'model-2.0'],
    ['model-2.0-infer', 'model-2.5-infer'],
    ['ernie-1.0', 'ernie-3.0'],
  ])('%s and %s', async (one, other) => {
    expect((await found(both(one, other, params))).sort()).toEqual(
      [`${one}/model_state.pdparams`, `${other}/model_state.pdparams`].sort(),
    )
  })
})

describe('one training has', () => {
  it('the models of one name, and the best and the last beside those that count', async () => {
    expect(await found(both('bert-step-3', 'bert-step-4', model))).toHaveLength(2)
    expect(await found({ ...both('epoch_1', 'best-epoch_2', model), ...under('gpt-epoch_1', model) })).toEqual([
      'best-epoch_2',
      'epoch_1',
    ])
    expect(await found(both('step_1', 'step_2', { ...model, ...adapter }))).toHaveLength(2)
  })

  it('the weights in one piece or in many, of safetensors or not', async () => {
    const parts = [
      'model-00001-of-00002.safetensors',
      'model.fp16.safetensors',
      'pytorch_model.bin',
      'adapter_model.bin',
    ]
    for (const part of parts) {
      expect(await found(both('step_1', 'step_2', { 'config.json': bert, [part]: tensors }))).toHaveLength(2)
    }
  })

  it('a model of LightGBM with a name that tells nothing beside its snapshots, or as a copy', async () => {
    const own = { 'credit.txt': trees, 'credit.txt.snapshot_iter_4': trees }
    expect(await found({ ...own, 'churn.txt': `${trees.toString()}\n` })).toEqual(Object.keys(own))
    expect(await found({ 'a.txt': trees, 'model.txt': trees })).toHaveLength(2)
  })
})
