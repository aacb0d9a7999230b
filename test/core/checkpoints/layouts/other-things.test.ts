import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { explainPath } from '../../../../src/core/checkpoints/layouts/explain.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { makeFolder, write } from './folders.js'

const noise = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 73) % 251))
const someZip = makeZip([{ name: 'notes.txt', data: Buffer.from('x') }])

const lfsPointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`

/** What a home folder holds beside checkpoints, under names that checkpoints have. */
const things: Readonly<Record<string, string | Uint8Array>> = {
  'node_modules/x/index.js': 'x',
  '.git/objects/ab/cd': noise,
  'photos/IMG_0100.jpg': Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), noise]),
  '2024/100/notes.txt': 'x',
  '2024/100/metadata.json': '{}',
  '2024/iter_0000100/metadata.json': '{"title": "a paper"}',
  'work/release/metadata.json': '{"version": 3}',
  'work/epoch.txt': '3',
  'work/best.txt': '0.9',
  'work/last.log': 'x',
  'work/model.py': 'x = 1',
  'work/model.json': '{"a": 1}',
  'work/model.txt': 'x',
  'work/final.zip': someZip,
  'work/backup_100_steps.zip': someZip,
  'work/model.onnx': Buffer.concat([Buffer.from([8, 7]), noise]),
  'work/v2': Buffer.from([0x81, 0xa6, ...Buffer.from('params'), 3]),
  'work/data_4.json': '{"learner": 1}',
  'work/table_3': Buffer.from([0x81, 0xa4, ...Buffer.from('step'), 3]),
  'work/x_100.npy': Buffer.concat([Buffer.from([0x93]), Buffer.from('NUMPY'), noise]),
  'work/cache_300.pkl': Buffer.from([0x80, 4, 0x4e, 0x2e]),
  'work/model/meta.json': '{"name": "a theme"}',
  'work/model/config.cfg': 'x',
  'work/checkpoint_000001/a.txt': 'x',
  'work/step-100/notes.md': 'x',
  'work/epoch_3/plot.png': Buffer.concat([Buffer.from([0x89]), Buffer.from('PNG'), noise]),
  'work/.ipynb_checkpoints/a-checkpoint.ipynb': '{}',
  'clone/checkpoint-100/model.safetensors': lfsPointer,
  'clone/checkpoint-100/training_args.bin': lfsPointer,
  'data/db-1.index': 'x',
  'data/db-1.meta': 'x',
  'data/train.yaml': 'a: 1',
  'data/1.yaml': 'a: 1',
  'docker/checkpoints/checkpoint1/config.json': '{}',
  'docker/checkpoints/checkpoint1/pages-1.img': noise,
  'hub/models--a--b/snapshots/abc/config.json': '{}',
  'hub/models--a--b/blobs/abc100': noise,
  checkpoint: 'machine snapshot 3\n',
  'work/ours-1.index': 'x'.repeat(60),
  'work/theirs-2.data-00000-of-00001': 'x',
  'work/checkpoint': 'the checkpoint of our climb',
  'work/best.keras': 'my notes',
  'work/best.weights.h5': 'x',
  'work/latest': 'v3',
  'work/last_checkpoint': 'nowhere',
  'work/checkpoint_10': 'x',
  'work/epoch_3.pth': 'x',
  'work/model_0000100.pth': 'x',
  'work/12epoch.pth': 'x',
  'work/epoch=3-step=4.ckpt': 'x',
  'work/last.ckpt': 'x',
  'work/model.ubj': 'x',
  'work/run-0/checkpoint-3/notes': 'x',
  'work/CKPT+x/notes': 'x',
  'work/result.json': '{}',
  'work/latest_checkpointed_iteration.txt': '100',
  'work/ep1-ba2-rank0.pt': 'x',
  'work/ep1-ba2/notes': 'x',
  'work/global_step100/frames.csv': '1',
  'work/trainer_state.json': '{}',
  'work/checkpoint-7/config.json': '{"a":1}',
  'work/checkpoint-8/model.py': 'x',
  'tensorflow/checkpoint/notes': 'x',
  'tensorflow/ours-1.index': 'x'.repeat(60),
}

function makeHome(): string {
  const root = makeFolder()
  for (const name of Object.keys(things)) mkdirSync(join(root, name, '..'), { recursive: true })
  write(root, things)
  mkdirSync(join(root, 'work', 'checkpoint-500'))
  return root
}

describe('a home folder full of other things', () => {
  it('has no checkpoint', async () => {
    const runs = await findRuns(localStorage(), makeHome())
    expect(runs.flatMap(({ checkpoints }) => checkpoints.map(({ path, layout }) => `${path}: ${layout}`))).toEqual([])
  })

  it('has none among what torch saves beside models: data, statistics, TorchScript, an optimizer; nor in a hub cache', async () => {
    const runs = await findRuns(
      localStorage(),
      fileURLToPath(new URL('../../../fixtures/other-things', import.meta.url)),
    )
    expect(runs.flatMap(({ checkpoints }) => checkpoints.map(({ path, layout }) => `${path}: ${layout}`))).toEqual([])
  })

  it('is explained without an error: no layout takes any of it', async () => {
    const root = makeHome()
    for (const name of Object.keys(things)) {
      const { checkpoint, layouts } = await explainPath(localStorage(), join(root, name))
      expect([name, checkpoint, layouts.filter(({ verdict }) => verdict === 'takes')]).toEqual([name, null, []])
    }
  })
})
