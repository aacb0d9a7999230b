/** OpenMMLab's runs: whose the rows of its logs are, and mmcv's `latest.pth`. */
import { copyFileSync, lstatSync, readlinkSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadRun, readHistory } from '../../../../src/core/checkpoints/layouts/index.js'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import {
  bestOrder,
  byRecency,
  describeAbsentBest,
  namedBests,
  rank,
} from '../../../../src/core/choosing/selection/index.js'
import { carryOut, intentOf, openRun, planPrune } from '../../../../src/core/runs/index.js'
import { arrange } from '../../../../src/core/runs/opening/rank-and-filter.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'
import { dict, tensor, torchFile } from './lightning-files.js'

const storage = localStorage()

function saved(epoch: number, iter: number, best?: { readonly file: string; readonly score: number }): Uint8Array {
  const messages = best === undefined ? {} : { best_ckpt: best.file, best_score: best.score }
  return torchFile(
    dict({
      meta: dict({ epoch, iter, time: 'Mon Jan  1 00:00:00 2024', hook_msgs: dict(messages) }),
      state_dict: dict({ 'backbone.weight': tensor(epoch, iter) }),
      optimizer: dict({ state: dict({}) }),
    }),
  )
}

const lines = (...rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

async function metricsIn(root: string, key: string): Promise<Record<string, unknown>> {
  const { checkpoints } = await loadRun(storage, root)
  return Object.fromEntries(checkpoints.map(({ name, meta }) => [name, meta.get(key)]))
}

describe('rows of an iteration run', () => {
  const training = (iter: number) => ({ lr: 0.1, loss: 1 / iter, epoch: 1, iter, step: iter })
  const files = { 'iter_0.pth': saved(0, 0), 'iter_4.pth': saved(0, 4), 'mine.pth': saved(0, 8) }

  it('that say step 0 of every validation are nobody’s', async () => {
    const log = lines(training(4), { acc: 0.2, step: 0 }, training(8), { acc: 0.4, step: 0 })
    const root = write(makeFolder(), { ...files, '20240101_000000/vis_data/scalars.json': log })
    expect(await metricsIn(root, 'acc')).toEqual({
      'iter_0.pth': undefined,
      'iter_4.pth': undefined,
      'mine.pth': undefined,
    })
    const history = await readHistory(storage, await loadRun(storage, root), ['acc'], ['step'])
    expect(history.has('step')).toBe(true)
    expect(history.get('step')?.values.get('acc')).toBe(undefined)
  })

  it('that say theirs are the values of that checkpoint', async () => {
    const log = lines(training(4), { acc: 0.2, step: 4 }, training(8), { acc: 0.4, step: 8 })
    const root = write(makeFolder(), { ...files, '20240101_000000/vis_data/scalars.json': log })
    expect(await metricsIn(root, 'acc')).toMatchObject({ 'iter_4.pth': 0.2 })
  })
})

it('step 0 is not an epoch either', async () => {
  const root = write(makeFolder(), {
    'epoch_0.pth': saved(0, 0),
    'epoch_1.pth': saved(1, 4),
    '20240101_000000/vis_data/scalars.json': lines({ acc: 0.1, step: 0 }, { acc: 0.5, step: 1 }),
  })
  expect(await metricsIn(root, 'acc')).toEqual({ 'epoch_0.pth': undefined, 'epoch_1.pth': 0.5 })
})

describe('the best', () => {
  const row = (step: number, mAP: number) => ({ 'coco/bbox_mAP': mAP, 'coco/bbox_mAP_50': 1 - mAP, step })
  const best = { file: 'work_dirs/x/best_coco_bbox_mAP_epoch_1.pth', score: 1 }
  const files = {
    'epoch_1.pth': saved(1, 4),
    'epoch_2.pth': saved(2, 8, best),
    'epoch_3.pth': saved(3, 12, best),
    '20240101_000000/vis_data/scalars.json': lines(row(1, 0.5), row(2, 0.7), row(3, 0.2)),
  }

  it('is named with its metric and value, of which the name of its file tells', async () => {
    const { checkpoints } = await loadRun(storage, write(makeFolder(), files))
    expect(checkpoints.find(({ name }) => name === 'epoch_3.pth')?.pointsTo).toContainEqual({
      label: 'best_ckpt',
      name: 'best_coco_bbox_mAP_epoch_1.pth',
      purpose: 'best',
      metric: 'coco/bbox_mAP',
      value: 1,
    })
  })

  it('is what its own file says, which is saved after that of its epoch and takes the place of the one before', async () => {
    const file = 'best_coco_bbox_mAP_epoch_3.pth'
    const root = write(makeFolder(), { ...files, [file]: saved(3, 12, { file: `work_dirs/x/${file}`, score: 2 }) })
    const { ordered } = byRecency((await openRun(storage, root)).checkpoints)
    expect(namedBests(ordered).map(({ checkpoint }) => checkpoint?.name)).toEqual([file])
    expect(describeAbsentBest(ordered)).toEqual([])
  })

  it('is named beside what another framework names in the same folder, whichever is the newer', async () => {
    const file = 'best_coco_bbox_mAP_epoch_3.pth'
    const state = {
      global_step: 99,
      epoch: 9,
      best_metric: 0.5,
      best_model_checkpoint: 'out/checkpoint-99',
      log_history: [],
    }
    const root = write(makeFolder(), {
      ...files,
      [file]: saved(3, 12, { file: `work_dirs/x/${file}`, score: 2 }),
      'checkpoint-99/trainer_state.json': JSON.stringify(state),
      'checkpoint-99/model.safetensors': 'x',
    })
    const { ordered } = byRecency((await openRun(storage, root)).checkpoints)
    expect(namedBests(ordered).map(({ checkpoint }) => checkpoint?.name)).toEqual(
      expect.arrayContaining([file, 'checkpoint-99']),
    )
  })

  it('is the best by that metric where its file is gone', async () => {
    const { checkpoints } = await openRun(storage, write(makeFolder(), files))
    const { ordered } = await arrange(storage, checkpoints, { orders: [], where: [] }, 1e9)
    expect(rank(ordered, bestOrder(ordered), 1e9)[0]?.name).toBe('epoch_2.pth')
  })
})

describe('mmcv', () => {
  /** Two epochs, with `latest.pth` as it is made. */
  function makeRun(latest: (run: string) => void): string {
    const val = (epoch: number, acc: number) => ({ mode: 'val', epoch, iter: 2, lr: 0.1, accuracy: acc })
    const run = write(join(makeFolder(), 'run'), {
      'epoch_1.pth': saved(1, 4),
      'epoch_2.pth': saved(2, 8),
      '20240101_000000.log.json': lines(
        { env_info: 'sys.platform: linux', seed: 0 },
        { mode: 'train', epoch: 1, iter: 4, lr: 0.1, time: 0.1, loss: 1.5 },
        val(1, 0.25),
        { mode: 'train', epoch: 2, iter: 4, lr: 0.1, time: 0.1, loss: 1 },
        val(2, 0.5),
      ),
    })
    latest(run)
    return run
  }

  const linked = () => makeRun((run) => symlinkSync('epoch_2.pth', join(run, 'latest.pth')))
  const copied = () => makeRun((run) => copyFileSync(join(run, 'epoch_2.pth'), join(run, 'latest.pth')))

  it('takes the values of a validation from its log', async () => {
    expect(await metricsIn(linked(), 'accuracy')).toMatchObject({ 'epoch_1.pth': 0.25, 'epoch_2.pth': 0.5 })
    expect(await metricsIn(linked(), 'loss')).toMatchObject({ 'epoch_1.pth': undefined, 'epoch_2.pth': undefined })
  })

  it.each([
    ['link', linked],
    ['copy', copied],
  ])('latest.pth as a %s is another name of its checkpoint', async (_, make) => {
    const { checkpoints } = await loadRun(storage, make())
    expect(checkpoints.map(({ name, sameAs }) => [name, sameAs])).toEqual([
      ['epoch_1.pth', undefined],
      ['epoch_2.pth', undefined],
      ['latest.pth', 'epoch_2.pth'],
    ])
  })

  async function withoutTheNewest(run: string): Promise<void> {
    const wait = () => Promise.resolve()
    const now = 1_900_000_000
    const opened = await openRun(storage, run)
    const where = [await parseExpression('epoch == 2')]
    const request = { query: { orders: [], where }, keep: 0, protect: false }
    const plan = await planPrune(storage, opened, request, { now, wait, utcOffset: () => 0 })
    await carryOut(storage, opened, intentOf(plan).going, { now, wait, trash: false })
  }

  it('the link is led to what stays, and the copy goes with its checkpoint', async () => {
    const [link, copy] = [linked(), copied()]
    await withoutTheNewest(link)
    await withoutTheNewest(copy)
    expect(lstatSync(join(link, 'latest.pth')).isSymbolicLink() && readlinkSync(join(link, 'latest.pth'))).toBe(
      'epoch_1.pth',
    )
    expect(readdirSync(copy).filter((name) => name.endsWith('.pth'))).toEqual(['epoch_1.pth'])
  })
})

describe('a run of epochs whose files count iterations', () => {
  it('has nothing of the epoch whose number an iteration has', async () => {
    const { checkpoints } = await loadRun(storage, join(fixtures, 'variants/mmengine-epochs/run'))
    const metrics = Object.fromEntries(checkpoints.map(({ name, meta }) => [name, meta.get('cls/accuracy')]))
    expect([metrics['iter_3.pth'], metrics['iter_20.pth']]).toEqual([undefined, undefined])
  })
})

describe('a run whose last_checkpoint lies elsewhere', () => {
  it('keeps the one that it names, and no other for that', async () => {
    const run = await openRun(storage, join(fixtures, 'variants/mmengine-elsewhere/run'), {})
    const needed = run.checkpoints.flatMap(({ name, neededFor }) => (neededFor === undefined ? [] : [name]))
    expect(needed).toEqual(['epoch_7.pth'])
    const beside = await loadRun(storage, join(fixtures, 'variants/mmengine-epochs/run'))
    expect(beside.checkpoints.every(({ neededFor }) => neededFor === undefined)).toBe(true)
  })
})
