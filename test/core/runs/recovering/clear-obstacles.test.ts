/** A framework that resumes by a pointer file is led by it to the checkpoint that was chosen, before the job starts. */
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { clearObstacles, openRun, tellObstacles } from '../../../../src/core/runs/index.js'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from '../../checkpoints/layouts/folders.js'
import { lockOptions, machine, owner } from '../../changes/state/machine.js'

const storage = localStorage()

/** What was told to stand for the chosen one. */
async function clearFor(path: string, chosen: string): Promise<readonly string[]> {
  return (await cleared(path, chosen)).pointed
}

async function cleared(path: string, chosen: string) {
  const run = await openRun(storage, path)
  const checkpoint = run.checkpoints.find(({ name }) => name === chosen)
  if (checkpoint === undefined) throw new Error(`${chosen} is not there`)
  const look = { now: 1_900_000_000, wait: () => Promise.resolve() }
  const context = { lock: lockOptions(machine(owner())), look }
  return clearObstacles(storage, run, checkpoint, { verify: 'quick', keys: [] }, context)
}

it.each([
  ['a name', 'deepspeed', 'latest', 'global_step30/mp_rank_00_model_states.pt', 'global_step20', 'global_step20'],
  ['a file name', 'detectron2', 'last_checkpoint', 'model_final.pth', 'model_0000039.pth', 'model_0000039.pth'],
  ['a path', 'mmengine', 'last_checkpoint', 'epoch_5.pth', 'epoch_4.pth', 'work_dirs/tiny/epoch_4.pth'],
  [
    'a number',
    'megatron',
    'latest_checkpointed_iteration.txt',
    'iter_0000400/mp_rank_00/model_optim_rng.pt',
    'iter_0000300',
    '300',
  ],
])('a pointer file that holds %s (%s)', async (_, framework, file, damaged, chosen, text) => {
  const run = copyFixture(`frameworks/${framework}/run`)
  truncateSync(join(run, damaged), 100)
  expect(await clearFor(run, chosen)).toEqual([file])
  expect(readFileSync(join(run, file), 'utf8')).toBe(text)
  expect(await clearFor(run, chosen)).toEqual([])
})

it("TensorFlow's list of checkpoints", async () => {
  const run = copyFixture('frameworks/tf_checkpoint/run')
  truncateSync(join(run, 'ckpt-6.data-00000-of-00001'), 100)
  expect(await clearFor(run, 'ckpt-5')).toEqual(['checkpoint'])
  const lines = readFileSync(join(run, 'checkpoint'), 'utf8').split('\n')
  expect(lines[0]).toBe('model_checkpoint_path: "ckpt-5"')
  expect(lines.filter((line) => line.startsWith('all_')).at(2)).toBe('all_model_checkpoint_paths: "ckpt-5"')
})

it('a link', async () => {
  const run = copyFixture('frameworks/composer/run/checkpoints')
  const link = join(run, 'latest-rank0.pt')
  rmSync(link, { force: true })
  symlinkSync('ep4-ba20-rank0.pt', link)
  truncateSync(join(run, 'ep4-ba20-rank0.pt'), 100)
  expect(await clearFor(run, 'ep3-ba15-rank0.pt')).toEqual(['latest-rank0.pt'])
  expect(readlinkSync(link)).toBe('ep3-ba15-rank0.pt')
})

it('one that was emptied, or leads nowhere', async () => {
  const run = copyFixture('frameworks/deepspeed/run')
  truncateSync(join(run, 'latest'), 0)
  expect(await clearFor(run, 'global_step30')).toEqual(['latest'])
  expect(readFileSync(join(run, 'latest'), 'utf8')).toBe('global_step30')
})

it('one that is a link to a file elsewhere, which is read and not changed', async () => {
  const run = copyFixture('frameworks/deepspeed/run')
  const elsewhere = join(copyFixture('frameworks/deepspeed/run'), 'latest')
  rmSync(join(run, 'latest'))
  symlinkSync(elsewhere, join(run, 'latest'))
  expect(await cleared(run, 'global_step30')).toMatchObject({ pointed: [], unled: [] })
  writeFileSync(elsewhere, 'global_step20')
  const why = `it is a link to ${elsewhere}`
  expect(await cleared(run, 'global_step30')).toMatchObject({ pointed: [], unled: [{ name: 'latest', why }] })
  expect(readFileSync(elsewhere, 'utf8')).toBe('global_step20')
})

it('with --leave-damaged what is not there, or names another one, is told and stays', async () => {
  const run = await openRun(storage, copyFixture('frameworks/deepspeed/run'))
  const [newest, before] = ['global_step30', 'global_step20'].map((name) =>
    run.checkpoints.find((one) => one.name === name),
  )
  const look = { now: 1_900_000_000, wait: () => Promise.resolve() }
  const unled = async (chosen: Checkpoint | undefined) =>
    (await tellObstacles(storage, run, chosen ?? null, { verify: 'quick', keys: [] }, look)).unled
  expect(await unled(newest)).toEqual([])
  expect(await unled(before)).toEqual([{ name: 'latest', why: null, isLost: false }])
  rmSync(join(run.path, 'latest'))
  expect(await unled(newest)).toEqual([{ name: 'latest', why: null, isLost: true }])
})

it("what a script of diffusers' would take and that a kill left before the model was written goes to the trash", async () => {
  const path = copyFixture('frameworks/diffusers/run')
  const [newest] = (await openRun(storage, path)).checkpoints
  if (newest === undefined) throw new Error('nothing there')
  mkdirSync(join(path, 'checkpoint-999/unet'), { recursive: true })
  cpSync(join(newest.path, 'unet/config.json'), join(path, 'checkpoint-999/unet/config.json'))
  const run = await openRun(storage, path)
  const chosen = run.checkpoints.find(({ name }) => name === newest.name) ?? null
  const look = { now: 1_900_000_000, wait: () => Promise.resolve() }
  const context = { lock: lockOptions(machine(owner())), look }
  const { moved } = await clearObstacles(storage, run, chosen, { verify: 'quick', keys: [] }, context)
  expect(moved.map(({ checkpoint }) => checkpoint.name)).toContain('checkpoint-999')
})

it.each([
  ['that a kill left before there was an optimizer', 'model.safetensors'],
  ['that a kill left empty', null],
])("what Accelerate's load_state() would take and %s goes to the trash", async (_, file) => {
  const path = copyFixture('frameworks/accelerate/run/checkpoints')
  mkdirSync(join(path, 'checkpoint_5'))
  if (file !== null) cpSync(join(path, 'checkpoint_4', file), join(path, 'checkpoint_5', file))
  const run = await openRun(storage, path)
  const chosen = run.checkpoints.find(({ name }) => name === 'checkpoint_4') ?? null
  const look = { now: 1_900_000_000, wait: () => Promise.resolve() }
  const context = { lock: lockOptions(machine(owner())), look }
  const { moved } = await clearObstacles(storage, run, chosen, { verify: 'quick', keys: [] }, context)
  expect(moved.map(({ checkpoint, how }) => `${checkpoint.name}: ${how}`)).toEqual([
    'checkpoint_5: load_state() takes it',
  ])
})

it('what Composer’s autoresume takes is led to the chosen one where it is a copy and no link', async () => {
  const root = join(copyFixture('frameworks/composer/run'), 'checkpoints')
  const [latest = '', newest = ''] = ['latest', 'ep4-ba20'].map((name) => join(root, `${name}-rank0.pt`))
  rmSync(latest)
  truncateSync(newest, 12_000)
  cpSync(newest, latest)
  expect(await clearFor(root, 'ep3-ba15-rank0.pt')).toEqual(['latest-rank0.pt'])
  expect(readFileSync(latest)).toEqual(readFileSync(join(root, 'ep3-ba15-rank0.pt')))
})
