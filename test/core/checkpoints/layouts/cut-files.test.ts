/** A file that was cut off is told as damaged, and not as one of weights alone, which nobody could know. */
import { renameSync, rmSync, truncateSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { type Checkpoint, isResumable } from '../../../../src/core/checkpoint.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

it.each([
  ['frameworks/detectron2/run', 'model_0000039.pth'],
  ['variants/detectron2-trainer/run', 'model_0000005.pth'],
  ['variants/detectron2-trainer/run', 'model_final.pth'],
  ['frameworks/mmengine/run', 'epoch_5.pth'],
  ['frameworks/torch_plain/run/checkpoints', 'model_epoch_12.pt'],
  ['frameworks/ignite/run/training', 'training_checkpoint_20.pt'],
  ['variants/ignite/run/both', 'best_checkpoint_4_accuracy=0.9000.pt'],
  ['frameworks/timm/run/20240131-120000-tiny-8', 'last.pth.tar'],
  ['frameworks/keras/run/ckpts', 'model.05-1.6537.keras'],
  ['frameworks/stable_baselines3/run/logs', 'rl_model_600_steps.zip'],
])('%s/%s', async (fixture, name) => {
  const run = copyFixture(fixture)
  truncateSync(join(run, name), 100)
  const { checkpoints } = await loadRun(localStorage(), run)
  const cut = checkpoints.find((one) => one.name === name)
  expect(cut === undefined ? null : isResumable(cut)).toBe(true)
})

it.each([
  ['frameworks/stable_baselines3/run/logs', 'rl_model_600_steps.zip', 1000],
  ['frameworks/stable_baselines3/run/logs', 'rl_model_600_steps.zip', 0],
  ['frameworks/composer/run/checkpoints', 'ep4-ba20-rank0.pt', 1000],
  ['variants/fairseq-shards/run', 'checkpoint3-shard0.pt', 1000],
  ['variants/fairseq-shards/run', 'checkpoint3-shard1.pt', 1000],
  ['variants/fairseq-shards/run', 'checkpoint3-shard0.pt', 0],
  ['frameworks/paddle/run/output', '3.pdparams', 0],
])('%s: with %s cut to %i bytes the group is still one checkpoint, and a damaged one', async (fixture, name, bytes) => {
  const run = copyFixture(fixture)
  const whole = (await loadRun(localStorage(), run)).checkpoints
  truncateSync(join(run, name), bytes)
  const { checkpoints } = await loadRun(localStorage(), run)
  expect(names(checkpoints)).toEqual(names(whole))
  const graded = await checkHealth(localStorage(), checkpoints, checkpoints, 'quick')
  const damaged = graded.filter(({ health }) => health.grade !== 'whole')
  expect(damaged.flatMap(({ members }) => members.map(({ path }) => basename(path)))).toContain(name)
})

function names(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.map((one) => one.name).sort()
}

it('and so is a folder of torch.distributed.checkpoint whose .metadata was cut, or is not there', async () => {
  const run = copyFixture('variants/dcp/run')
  truncateSync(join(run, 'epoch_2/.metadata'), 100)
  rmSync(join(run, 'only/step200/.metadata'))
  const found = (await findRuns(localStorage(), run)).flatMap(({ checkpoints }) => checkpoints)
  const resumable = Object.fromEntries(found.map((one) => [one.name, isResumable(one)]))
  expect(resumable).toMatchObject({ epoch_2: true })
})

it("and so is Paddle's pickle of all in one file", async () => {
  const run = copyFixture('frameworks/paddle/run/output')
  for (const epoch of [0, 1]) renameSync(join(run, `${epoch}.pdparams`), join(run, `model_epoch_${epoch}.pdckpt`))
  truncateSync(join(run, 'model_epoch_1.pdckpt'), 100)
  const { checkpoints } = await loadRun(localStorage(), run)
  const graded = await checkHealth(localStorage(), checkpoints, checkpoints, 'quick')
  const packed = graded.filter(({ name }) => name.endsWith('.pdckpt'))
  expect(packed.map(({ name, epoch, health }) => [name, epoch, health.grade])).toEqual([
    ['model_epoch_0.pdckpt', 0, 'whole'],
    ['model_epoch_1.pdckpt', 1, 'corrupt'],
  ])
})
