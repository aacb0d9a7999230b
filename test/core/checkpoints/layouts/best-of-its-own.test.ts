/** What a framework keeps for its best under a name of its own. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { plan } from '../../../../src/core/choosing/retention/index.js'
import { bestOrder, byRecency, rank, scopeOf } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, fixtures, makeFolder, write } from './folders.js'
import { dict, float, tensor, torchFile, type Python } from './lightning-files.js'

const now = 2e9

async function scan(root: string): Promise<readonly Checkpoint[]> {
  const runs = await findRuns(localStorage(), root)
  return byRecency(runs.flatMap(({ checkpoints }) => checkpoints)).ordered
}

/** By what stays of a run where the newest alone is asked for, the reasons. */
function keptOf(checkpoints: readonly Checkpoint[], pointersFollow = false): Record<string, string[]> {
  const orders = [{ label: 'recency', named: false, ranked: checkpoints }]
  const context = { now, scopeOf: (one: Checkpoint) => scopeOf(one, now), utcOffset: () => 0 }
  const protections = { pointersFollow }
  const { keep } = plan({ checkpoints, policy: { keep: 1, orders }, context, healthKnown: true, protections })
  return Object.fromEntries(keep.map(({ checkpoint, reasons }) => [checkpoint.name, reasons.map(({ text }) => text)]))
}

describe("a framework's best", () => {
  it.each([
    ['yolo', 'best.pt'],
    ['timm', 'model_best.pth.tar'],
    ['detectron2', 'model_best.pth'],
    ['coqui', 'best_model.pth'],
    ['spacy', 'model-best'],
    ['stable_baselines3', 'best_model.zip'],
    ['fairseq', 'checkpoint_best.pt'],
    ['torch_imagenet', 'model_best.pth.tar'],
  ])('of %s stays', async (framework, name) => {
    const all = await scan(join(fixtures, 'frameworks', framework, 'run'))
    const run = all.find((one) => one.name === name)?.run
    const kept = keptOf(all.filter((one) => one.run === run))
    expect(kept[name]).toContain('kept as the best')
  })

  it.each(['best.pt', 'model_best.pth', 'best_model.pt', 'best-val.ckpt'])(
    'of a plain script stays: %s',
    async (name) => {
      const saved = (epoch: number) => torchFile(dict({ epoch, model: dict({ 'a.weight': tensor(1) }) }))
      const root = makeFolder()
      write(root, { 'model_1.pt': saved(1), 'model_2.pt': saved(2), 'model_3.pt': saved(3), [name]: saved(2) })
      expect(Object.keys(keptOf(await scan(root))).sort()).toEqual(['model_3.pt', name].sort())
    },
  )

  it('of a plain script that numbers them is any checkpoint', async () => {
    const saved = (epoch: number) => torchFile(dict({ epoch, model: dict({ 'a.weight': tensor(1) }) }))
    const root = makeFolder()
    write(root, { 'best_1.pt': saved(1), 'best_2.pt': saved(2), 'model_3.pt': saved(3) })
    expect(Object.keys(keptOf(await scan(root)))).toEqual(['model_3.pt'])
  })

  it('goes where it is named itself', async () => {
    const all = await scan(join(fixtures, 'frameworks', 'yolo', 'run'))
    expect(keptOf(all, true)).not.toHaveProperty('best.pt')
  })

  it('stays where the newest of the folder is of another framework', async () => {
    const root = copyFixture('frameworks/yolo/run')
    const weights = join(root, 'train', 'weights')
    write(weights, { 'net_step_900.pt': torchFile(dict({ step: 900, state_dict: dict({ 'a.weight': tensor(1) }) })) })
    const all = (await scan(root)).toSorted((a, b) => (b.step ?? 0) - (a.step ?? 0))
    expect(all[0]?.layout).toBe('torch')
    expect(keptOf(all)['best.pt']).toContain('kept as the best')
  })

  it('is what `best` alone means', async () => {
    const all = await scan(join(fixtures, 'frameworks', 'spacy', 'run'))
    expect(rank(all, bestOrder(all), now).map(({ name }) => name)).toEqual(['model-best'])
  })
})

/** What `strip_optimizer` leaves at the end of three epochs, with the metrics of the one that was saved. */
function stripped(metrics: Readonly<Record<string, number>>, hasResults = true): Buffer {
  const accuracy = [0.25, 0.75, 0.5]
  return torchFile(
    dict({
      epoch: -1,
      best_fitness: null,
      model: dict({ 'model.0.weight': tensor(1) }),
      train_args: dict({ task: 'classify' }),
      train_metrics: dict(Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, float(value)]))),
      train_results: dict(
        hasResults
          ? {
              epoch: [1, 2, 3],
              'metrics/accuracy_top1': accuracy.map(float),
              'val/loss': [1.5, 1.23457, 1.25].map(float),
            }
          : {},
      ),
    }),
  )
}

describe('best.pt of Ultralytics', () => {
  it('has the epoch of its own metrics, though it was given the results of the last one', async () => {
    const root = write(makeFolder(), {
      'weights/best.pt': stripped({ 'metrics/accuracy_top1': 0.75, 'val/loss': 1.234568, fitness: 0.75 }),
      'weights/last.pt': stripped({ 'metrics/accuracy_top1': 0.5, 'val/loss': 1.25, fitness: 0.5 }),
    })
    const all = await scan(root)
    expect(all.map(({ name, epoch }) => [name, epoch])).toEqual([
      ['last.pt', 2],
      ['best.pt', 1],
    ])
  })
})

describe('a stripped file of Ultralytics without results inside', () => {
  it('has the epoch that results.csv has for its metrics, and the losses of that row', async () => {
    const root = write(makeFolder(), {
      'results.csv': 'epoch, train/loss, val/loss\n1,3,1.5\n2,2,1.23457\n3,1,1.25\n',
      'weights/best.pt': stripped({ 'val/loss': 1.234568 }, false),
      'weights/last.pt': stripped({ 'val/loss': 1.25 }, false),
    })
    const all = await scan(root)
    expect(all.map(({ name, epoch, meta }) => [name, epoch, meta.get('train/loss')])).toEqual([
      ['last.pt', 2, 1],
      ['best.pt', 1, 2],
    ])
  })
})

describe('the direction by which timm judges', () => {
  const saved = (epoch: number, more: Readonly<Record<string, Python>> = {}) =>
    torchFile(
      dict({
        epoch,
        arch: 'tiny',
        version: 2,
        state_dict: dict({ 'a.weight': tensor(1) }),
        metric: epoch + 1,
        ...more,
      }),
    )
  const summary = 'epoch,train_loss,eval_thing,eval_wer\n0,9,1,7\n1,8,2,6\n'

  async function directionsIn(files: Readonly<Record<string, string | Uint8Array>>) {
    const [newest] = await scan(write(makeFolder(), { 'summary.csv': summary, 'args.yaml': 'lr: 0.1\n', ...files }))
    return Object.fromEntries(newest?.directions ?? [])
  }

  it("is that of the saver's own list", async () => {
    const ranked = {
      checkpoint_files: [
        ['checkpoint-0.pth.tar', 1],
        ['checkpoint-1.pth.tar', 2],
      ],
    }
    expect(await directionsIn({ 'checkpoint-1.pth.tar': saved(1, { saver: dict(ranked) }) })).toEqual({
      eval_thing: 'min',
    })
  })

  it("is that of the script's arguments", async () => {
    const files = { 'args.yaml': 'decreasing_metric: true\n', 'checkpoint-1.pth.tar': saved(1) }
    expect(await directionsIn(files)).toEqual({ eval_thing: 'min' })
  })

  it("is that of the metric's name where nothing else tells it", async () => {
    expect(await directionsIn({ 'checkpoint-1.pth.tar': saved(1) })).toEqual({ eval_thing: 'max' })
    expect(await directionsIn({ 'checkpoint-1.pth.tar': saved(1, { metric: 6 }) })).toEqual({ eval_wer: 'min' })
  })
})
