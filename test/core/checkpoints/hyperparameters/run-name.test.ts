/** What programs call a run, from the files that they wrote beside and above its checkpoints. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readHyperParameters, readRunName } from '../../../../src/core/checkpoints/hyperparameters/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from '../layouts/folders.js'

/** The name of a run whose folder is `path` among these files. */
async function nameOf(path: string, files: Readonly<Record<string, string>>): Promise<string | null> {
  const root = write(makeFolder(), { ...files, [`${path}/model.pt`]: '' })
  return readRunName(localStorage(), { path: join(root, path), checkpoints: [] })
}

/** As mlflow/store/tracking/file_store.py writes them. */
const ofExperiment = "artifact_location: file:///x\nexperiment_id: '1'\nlifecycle_stage: active\nname: asr\n"
const ofRun = (name: string) =>
  `artifact_uri: file:///x/artifacts\nend_time: null\nrun_id: 0af3\nrun_name: ${name}\nrun_uuid: 0af3\nstatus: 1\n`
const artifacts = 'mlruns/1/0af3/artifacts/checkpoints'

it('of MLflow it is the run’s, not the experiment’s', async () => {
  const files = { 'mlruns/1/meta.yaml': ofExperiment, 'mlruns/1/0af3/meta.yaml': ofRun('brave-fox-12') }
  expect(await nameOf(artifacts, files)).toBe('brave-fox-12')
})

it('of MLflow it is told of checkpoints beside mlruns too', async () => {
  const files = { 'mlruns/1/meta.yaml': ofExperiment, 'mlruns/1/0af3/meta.yaml': ofRun('brave-fox-12') }
  expect(await nameOf('exp/save', files)).toBe('brave-fox-12')
  expect(await nameOf('exp/save', { ...files, 'mlruns/1/1bc4/meta.yaml': ofRun('shy-owl-3') })).toBeNull()
})

it('of MLflow before 2 it is a tag', async () => {
  const files = {
    'mlruns/1/meta.yaml': ofExperiment,
    'mlruns/1/0af3/meta.yaml': ofRun("''"),
    'mlruns/1/0af3/tags/mlflow.runName': 'baseline',
  }
  expect(await nameOf(artifacts, files)).toBe('baseline')
})

const hydra = (dirname: string) =>
  `hydra:\n  run:\n    dir: outputs/x\n  job:\n    name: train\n    chdir: null\n    override_dirname: ${dirname}\n    id: ???\n`

it.each([
  ['lr=0.3,model=big', 'lr=0.3,model=big'],
  ["''", 'train'],
])('of Hydra it is what was typed, else the job: %s', async (dirname, name) => {
  expect(await nameOf('outputs/a/ckpts', { 'outputs/a/.hydra/hydra.yaml': hydra(dirname) })).toBe(name)
})

it.each([
  ['beside the checkpoints', 'exp/save', 'exp/wandb/offline-run-20261129_150542-fbfm65zd'],
  ['around them', 'wandb/offline-run-20261129_150542-fbfm65zd/files', 'wandb/offline-run-20261129_150542-fbfm65zd'],
])('of W&B it is in the log of the run, also offline, %s', async (_, path, folder) => {
  const root = write(makeFolder(), { [`${path}/model.pt`]: '', [`${folder}/logs/debug.log`]: '' })
  const log = join(fixtures, '..', 'formats', 'wandb', 'run-fbfm65zd.wandb')
  copyFileSync(log, join(root, folder, 'run-fbfm65zd.wandb'))
  const run = { path: join(root, path), checkpoints: [] }
  expect(await readRunName(localStorage(), run)).toBe('sunny-day-3')
  const { all, unread } = await readHyperParameters(localStorage(), run)
  expect(unread).toEqual([])
  expect([...all].map(([name, { value }]) => [name, value])).toEqual([
    ['lr', 0.1],
    ['opt.name', 'adam'],
    ['opt.betas', [0.9, 0.99]],
    ['note', 'a/b'],
    ['late.a', 1],
  ])
})

it('the nearer one decides', async () => {
  const files = { 'a/.hydra/hydra.yaml': hydra('lr=1'), 'a/b/meta.yaml': ofRun('inner') }
  expect(await nameOf('a/b/save', files)).toBe('inner')
})

it.each([
  ['nothing', {}],
  ['a broken file', { 'exp/meta.yaml': 'run_id: [1\nrun_name: "x' }],
  ["another program's", { 'exp/meta.yaml': 'run_name: mine\n' }],
  ['a name that is not text', { 'exp/meta.yaml': 'run_id: a\nrun_name: [1, 2]\n' }],
  ['one that is too long', { 'exp/meta.yaml': ofRun('x'.repeat(300)) }],
])('%s gives none', async (_, files) => {
  expect(await nameOf('exp/save', files)).toBe(null)
})
