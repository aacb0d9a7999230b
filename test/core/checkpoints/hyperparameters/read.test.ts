import { readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readHyperParameters } from '../../../../src/core/checkpoints/hyperparameters/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from '../layouts/folders.js'
import { call, dict, tensor, torchFile } from '../layouts/lightning-files.js'

const storage = localStorage()
const meta = 'unixtime: 1.0\n'

async function parametersOf(path: string): Promise<Record<string, unknown>> {
  const run = await loadRun(storage, path)
  const { all } = await readHyperParameters(storage, run)
  return Object.fromEntries([...all].map(([name, { value }]) => [name, value]))
}

async function sourceOf(path: string, name: string): Promise<string> {
  const run = await loadRun(storage, path)
  return relative(path, (await readHyperParameters(storage, run)).all.get(name)?.source ?? '')
}

function speechbrain(files: Record<string, string>): string {
  return write(makeFolder(), { 'save/CKPT+1/CKPT.yaml': meta, ...files })
}

describe('hyper-parameters', () => {
  it('of SpeechBrain keep tags as text, and those of what a tag makes under its name', async () => {
    const run = speechbrain({
      'hyperparams.yaml': [
        'lr: 1e-3',
        'seed: 0o7',
        'output_folder: !ref results/<seed>',
        'epochs: 15 # many',
        'optimizer: !name:torch.optim.Adam',
        '   lr: !ref <lr>',
        '   betas: !tuple (0.9, 0.98)',
        'shared: &id001 !new:torch.nn.ReLU {}',
        'again: *id001',
        'evil: !apply:os.system ["touch /tmp/x"]',
        'layers: [64, 32]',
        'data: !PLACEHOLDER',
        '',
      ].join('\n'),
    })
    expect(await parametersOf(run)).toEqual({
      lr: 0.001,
      seed: '0o7',
      output_folder: '!ref results/<seed>',
      epochs: 15,
      optimizer: '!name:torch.optim.Adam',
      'optimizer.lr': '!ref <lr>',
      'optimizer.betas': '!tuple (0.9, 0.98)',
      shared: '!new:torch.nn.ReLU',
      again: '!new:torch.nn.ReLU',
      evil: '!apply:os.system [touch /tmp/x]',
      layers: [64, 32],
      data: '!PLACEHOLDER',
    })
    expect(await sourceOf(run, 'lr')).toBe('hyperparams.yaml')
  })

  // As yaml.dump writes pathlib.Path('/a/b'), an Enum, np.float64(0.1), np.float32(3e-4) and a class.
  it('of PyYAML are the numbers and texts that its objects are made of', async () => {
    const type = (code: string, anchor = '') => [
      `- ${anchor}!!python/object/apply:numpy.dtype`,
      '  args:',
      `  - ${code}`,
      '  - false',
      '  - true',
      '  state: !!python/tuple [3, <, null, null, null, -1, -1, 0]',
      '- !!binary |',
    ]
    const run = speechbrain({
      'hparams.yaml': [
        'p: !!python/object/apply:pathlib.PosixPath',
        '- /',
        '- a',
        '- b',
        'relative: !!python/object/apply:pathlib._local.PosixPath [a, b]',
        'k: !!python/object/apply:__main__.Kind',
        '- adam',
        'n: !!python/object/apply:numpy._core.multiarray.scalar',
        ...type('f8', '&id001 '),
        '  mpmZmZmZuT8=',
        'again: !!python/object/apply:numpy.core.multiarray.scalar',
        '- *id001',
        '- !!binary |',
        '  AAAAAAAA4D8=',
        'f32: !!python/object/apply:numpy._core.multiarray.scalar',
        ...type('f4'),
        '  UkmdOQ==',
        "act: !!python/name:torch.nn.modules.activation.ReLU ''",
        'dims: !!python/tuple [1, 2]',
        'range: !!python/object/apply:builtins.range [0, 3, 1]',
        '',
      ].join('\n'),
    })
    expect(await parametersOf(run)).toEqual({
      p: '/a/b',
      relative: 'a/b',
      k: 'adam',
      n: 0.1,
      again: 0.5,
      f32: Math.fround(3e-4),
      act: 'torch.nn.modules.activation.ReLU',
      dims: [1, 2],
      range: [0, 3, 1],
    })
  })

  it('take in what a mapping merges, below what it says itself', async () => {
    const run = speechbrain({
      'config.yaml': [
        'base: &base {lr: 0.1, wd: 1, inner: {a: 1}}',
        'other: &other {lr: 0.2, seed: 7}',
        'one: {wd: 3, <<: *base}',
        'both: {<<: [*base, *other], lr: 5}',
        "text: {'<<': 1, <<: 2}",
        '',
      ].join('\n'),
    })
    const found = await parametersOf(run)
    expect(found).toMatchObject({ 'one.lr': 0.1, 'one.wd': 3, 'one.inner.a': 1 })
    expect(found).toMatchObject({ 'both.lr': 5, 'both.wd': 1, 'both.seed': 7, 'both.inner.a': 1, 'text.<<': 2 })
    expect(Object.keys(found).filter((name) => name.includes('<<'))).toEqual(['text.<<'])
  })

  it('of Hydra are the composed settings, else what was typed', async () => {
    expect(
      await parametersOf(
        speechbrain({
          '.hydra/config.yaml': 'model: {hidden: 6}\nlr: 0.3\n',
          '.hydra/overrides.yaml': '- lr=0.3\n- +x.y=a b\n- ~z\n',
        }),
      ),
    ).toEqual({ 'model.hidden': 6, lr: 0.3, 'x.y': 'a b' })
  })

  it('of W&B, with its descriptions or without, from the newest of its runs', async () => {
    const config = (lr: number) =>
      `wandb_version: 1\n_wandb:\n  desc: null\n  value: {x: 1}\nlr:\n  desc: null\n  value: ${lr}\nnet: {value: {depth: 3}}\n`
    const run = speechbrain({
      'save/wandb/run-20260101_000000-a/files/config.yaml': config(0.1),
      'save/wandb/offline-run-20260102_000000-b/files/config.yaml': config(0.2),
    })
    expect(await parametersOf(run)).toEqual({ lr: 0.2, 'net.depth': 3 })
  })

  it('of MLflow are one file each', async () => {
    const run = write(makeFolder(), {
      'mlruns/1/a/artifacts/save/CKPT+1/CKPT.yaml': meta,
      'mlruns/1/a/meta.yaml': 'run_name: x\n',
      'mlruns/1/a/params/lr': '0.1',
      'mlruns/1/a/params/opt/name': 'adam\n',
      'mlruns/1/a/params/amp': 'True',
    })
    expect(await parametersOf(run)).toEqual({ lr: 0.1, 'opt/name': 'adam', amp: true })
  })

  it('of W&B have no descriptions in a copy of the newest run alone, nor without its own entries', async () => {
    const run = speechbrain({
      'wandb/latest-run/files/config.yaml': 'lr:\n  desc: null\n  value: 0.2\nnet: {desc: null, value: {depth: 3}}\n',
    })
    expect(await parametersOf(run)).toEqual({ lr: 0.2, 'net.depth': 3 })
  })

  describe('of MLflow beside the checkpoints', () => {
    const mlflow = (id: string, lr: string, start: number, output?: string) => ({
      [`mlruns/1/${id}/meta.yaml`]: `run_id: ${id}\nstart_time: ${start}\nlifecycle_stage: active\n`,
      [`mlruns/1/${id}/params/lr`]: lr,
      ...(output === undefined ? {} : { [`mlruns/1/${id}/params/output_dir`]: output }),
    })
    const checkpointIn = (folder: string) => ({
      [`${folder}CKPT+1/CKPT.yaml`]: meta,
      'mlruns/1/meta.yaml': 'name: x\n',
    })

    it('are those of the newest run in the folder of the checkpoints', async () => {
      const root = write(makeFolder(), { ...checkpointIn(''), ...mlflow('a', '0.2', 2), ...mlflow('b', '0.1', 1) })
      expect(await parametersOf(root)).toEqual({ lr: 0.2 })
      expect(await sourceOf(root, 'lr')).toBe('mlruns/1/a/params/lr')
    })

    it('are those of the only run in the folders above, which was not deleted', async () => {
      const deleted = { 'mlruns/1/b/meta.yaml': 'run_id: b\nlifecycle_stage: deleted\n', 'mlruns/1/b/params/lr': '9' }
      const root = write(makeFolder(), { ...checkpointIn('exp/save/'), ...mlflow('a', '0.2', 2), ...deleted })
      expect(await parametersOf(join(root, 'exp/save'))).toEqual({ lr: 0.2 })
    })

    it('are of several runs those of the newest that names the folder, and none where none does', async () => {
      const root = write(makeFolder(), { ...checkpointIn('one/'), ...checkpointIn('two/'), ...checkpointIn('three/') })
      write(root, {
        ...mlflow('a', '0.1', 1, 'one'),
        ...mlflow('b', '0.2', 2, './one/'),
        ...mlflow('c', '0.3', 3, join(root, 'two')),
      })
      expect(await parametersOf(join(root, 'one'))).toMatchObject({ lr: 0.2 })
      expect(await parametersOf(join(root, 'two'))).toMatchObject({ lr: 0.3 })
      expect(await parametersOf(join(root, 'three'))).toEqual({})
    })

    it('are not those of another run than the one around the checkpoints', async () => {
      const root = write(makeFolder(), { ...checkpointIn('mlruns/1/a/checkpoints/'), ...mlflow('b', '0.2', 2) })
      write(root, { 'mlruns/1/a/meta.yaml': 'run_id: a\n', 'mlruns/1/a/params/seed': '1' })
      expect(await parametersOf(join(root, 'mlruns/1/a/checkpoints'))).toEqual({ seed: 1 })
    })
  })

  it('of MLflow are short: a large file is reported and not read', async () => {
    const run = write(makeFolder(), {
      'mlruns/1/a/artifacts/save/CKPT+1/CKPT.yaml': meta,
      'mlruns/1/a/meta.yaml': 'run_name: x\n',
      'mlruns/1/a/params/lr': '0.1',
      'mlruns/1/a/params/note': '1'.repeat(70_000),
    })
    expect(await parametersOf(run)).toEqual({ lr: 0.1 })
  })

  it('of any program are in files of usual names in the run or right above it', async () => {
    for (const name of ['args.yaml', 'config.yaml', 'hparams.yml', 'save/train.yaml']) {
      expect(await parametersOf(speechbrain({ [name]: 'lr: 0.1\n' }))).toEqual({ lr: 0.1 })
    }
    for (const name of ['params.json', 'save/args.json', 'config.json', 'hparams.json']) {
      expect(await parametersOf(speechbrain({ [name]: '{"lr": 0.1, "a": {"b": NaN}}' }))).toEqual({
        lr: 0.1,
        'a.b': NaN,
      })
    }
  })

  it('come from the nearest file that tells them', async () => {
    const run = write(makeFolder(), {
      'x/save/CKPT+1/CKPT.yaml': meta,
      'x/save/config.yaml': 'lr: 1\n',
      'x/config.yaml': 'lr: 2\nseed: 3\n',
      'config.yaml': 'lr: 4\nfar: 1\n',
    })
    expect(await parametersOf(run)).toEqual({ lr: 1, seed: 3 })
  })

  it.each([
    ['not closed', 'lr: [1, 2\n', /./],
    ['nested too deep', `a: ${'['.repeat(50_000)}`, /deep|nested|at most/],
    [
      'grown by aliases',
      `a: &a [1,1,1,1,1,1,1,1,1]\n${Array.from({ length: 9 }, (_, i) => `${'bcdefghij'[i]}: &${'bcdefghij'[i]} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`).join('\n')}\n`,
      /./,
    ],
  ])('of a file that is %s are reported as unread, and the others hold', async (_, text, reason) => {
    const path = speechbrain({ 'hyperparams.yaml': text, 'args.json': '{"lr": 1}' })
    const { all, unread } = await readHyperParameters(storage, await loadRun(storage, path))
    expect([...all.keys()]).toEqual(['lr'])
    expect(unread.map((one) => basename(one.path))).toEqual(['hyperparams.yaml'])
    expect(unread[0]?.reason).toMatch(reason)
  })

  it('of the Trainer are the attributes of its arguments, read as data, and the model', async () => {
    const found = await parametersOf(join(fixtures, 'frameworks/hf_trainer/run'))
    expect(found).toMatchObject({
      learning_rate: expect.any(Number) as number,
      seed: expect.any(Number) as number,
      model_type: 'bert',
    })
    expect(typeof found['eval_strategy']).toBe('string')
    expect(found['eval_strategy']).not.toContain('(')
  })

  it('of the Trainer may be a dict, and lists of members of an enumeration', async () => {
    const strategy = (value: string) => call('transformers.trainer_utils.FSDPOption', value)
    const args = torchFile(dict({ seed: 7, fsdp: [strategy('full_shard'), strategy('offload')] }))
    const run = write(makeFolder(), { 'CKPT+1/CKPT.yaml': meta, 'training_args.bin': args })
    expect(await parametersOf(run)).toEqual({ seed: 7, fsdp: ['full_shard', 'offload'] })
  })

  it('of the Trainer that are members of numbered enumerations are their numbers', async () => {
    const level = (value: number) => call('my_project.settings.Level', value)
    const args = torchFile(dict({ level: level(3), below: level(-1), some: [level(1), level(2)] }))
    const run = write(makeFolder(), { 'CKPT+1/CKPT.yaml': meta, 'training_args.bin': args })
    expect(await parametersOf(run)).toEqual({ level: 3, below: -1, some: [1, 2] })
  })

  it('are those that the program saved beside the weights, where no file tells any', async () => {
    const timm = join(fixtures, 'variants/timm-prefix/run')
    expect(await parametersOf(timm)).toMatchObject({ model: 'tiny', lr: expect.any(Number) as number })
    const saved = {
      model: dict({ 'fc.weight': tensor(1, 2) }),
      epoch: 3,
      cfg: dict({ optimization: dict({ lr: [call('x.Level', 2)] }) }),
    }
    const files = { 'checkpoint3.pt': torchFile(dict({ ...saved, optimizer: dict({}) })) }
    expect(await parametersOf(write(makeFolder(), files))).toEqual({ 'optimization.lr': [2] })
    const told = { ...files, 'train_args.yaml': 'lr: 1\n' }
    expect(await parametersOf(write(makeFolder(), told))).toEqual({ lr: 1 })
  })

  it('of Lightning are those inside of its checkpoints and of hparams.yaml', async () => {
    expect(await parametersOf(join(fixtures, 'frameworks/lightning/run'))).toMatchObject({
      hidden: 12,
      lr: 0.05,
      name: 'alpha',
    })
  })

  it('of Ray Tune are those of the trial', async () => {
    const root = join(fixtures, 'frameworks/ray_tune/run/tiny_a')
    for (const trial of readdirSync(root).filter((name) => name.startsWith('train'))) {
      const lr = Number(/lr=([\d.]+)/.exec(trial)?.[1])
      expect(await parametersOf(join(root, trial))).toMatchObject({ lr })
    }
  })

  it('of Ray Tune are in its reports where they have no file of their own', async () => {
    const reports = '{"epoch": 1, "config": {"lr": 0.1, "net": {"depth": 3}}}\n{"epoch": 2, "config": {"lr": 9}}\n'
    const trial = { 'result.json': reports, 'CKPT+1/CKPT.yaml': meta }
    expect(await parametersOf(write(makeFolder(), trial))).toEqual({ lr: 0.1, 'net.depth': 3 })
    expect(await parametersOf(write(makeFolder(), { ...trial, 'params.json': '{"lr": 0.2}' }))).toEqual({ lr: 0.2 })
    expect(await parametersOf(write(makeFolder(), { ...trial, 'result.json': '{"epoch": 1, "con' }))).toEqual({})
  })
})
