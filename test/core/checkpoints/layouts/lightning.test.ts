import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findRuns, loadCheckpoint, loadRun, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { bestOrder, byRecency, metricOrders, rank } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, fixtures, makeFolder, write } from './folders.js'
import { call, classOf, dict, float, lightningFile, modelCheckpoint, tensor, torchFile } from './lightning-files.js'

const storage = localStorage()
const folder = '/job/lightning_logs/version_0/checkpoints'

async function scan(root: string): Promise<Record<string, Checkpoint>> {
  const runs = await findRuns(storage, root)
  return Object.fromEntries(runs.flatMap(({ checkpoints }) => checkpoints.map((one) => [one.name, one])))
}

async function namesIn(files: Readonly<Record<string, string | Uint8Array>>): Promise<string[]> {
  return Object.keys(await scan(write(makeFolder(), files)))
}

/** A callback whose best are these, the first of them the best. */
function monitoring(monitor: string, mode: 'min' | 'max', best: Readonly<Record<string, number>>) {
  const [bestName = ''] = Object.keys(best)
  return new Map([modelCheckpoint({ monitor, mode, folder, best, bestName })])
}

interface Expected {
  checkpoints: { name: string; callback?: { best_model_path: string }; hyper_parameters: Record<string, unknown> }[]
}

describe('Lightning checkpoints', () => {
  it.each(['lightning', 'lightning_slash'])('of %s say what the real library wrote into them', async (name) => {
    const path = join(fixtures, 'frameworks', name)
    const expected = JSON.parse(readFileSync(join(path, 'expected.json'), 'utf8')) as Expected
    const { checkpoints } = await loadRun(storage, join(path, 'run'))
    for (const one of expected.checkpoints) {
      const found = checkpoints.find((other) => other.path.endsWith(one.name))
      expect(found).toMatchObject({ layout: 'lightning', kind: 'file', unixtime: null, files: [{ key: 'model' }] })
      expect(Object.fromEntries((found?.meta.get('hyper_parameters') ?? []) as Iterable<[string, unknown]>)).toEqual(
        one.hyper_parameters,
      )
      const best = found?.pointsTo.find(({ label }) => label === 'best_model_path')
      expect(one.callback?.best_model_path).toContain(best?.name)
    }
  })

  it('are known by what is in a file, whatever its name', async () => {
    const found = Object.values(
      await scan(
        write(makeFolder(), {
          'anything.ckpt': lightningFile({ step: 1 }),
          'epoch=0-step=4.ckpt': torchFile(dict({ 'net.weight': tensor(1, 2) })),
          'last.ckpt': 'some text',
          'notes.ckpt': 'more text',
          'table.ckpt': torchFile([1, 2]),
          'epoch=1.pt': lightningFile({ step: 2 }),
          '.hidden.ckpt': lightningFile({ step: 3 }),
        }),
      ),
    )
    const own = found.filter(({ layout }) => layout === 'lightning')
    expect(own.map(({ name }) => name)).toEqual(['anything.ckpt'])
    const speechBrain = join(fixtures, 'nutshell')
    expect(
      (await findRuns(storage, speechBrain)).flatMap(({ checkpoints }) => checkpoints.map((one) => one.layout)),
    ).not.toContain('lightning')
  })

  it('of versions before 1.5 have callbacks by class, and no word on the direction', async () => {
    const state = dict({
      monitor: 'val_loss',
      best_model_score: tensor(0.5),
      best_model_path: `${folder}/epoch=3-v0.ckpt`,
      current_score: tensor(0.5),
      dirpath: folder,
    })
    const root = write(makeFolder(), {
      'epoch=3-v0.ckpt': torchFile(
        dict({
          epoch: 3,
          global_step: 40,
          'pytorch-lightning_version': '1.2.10',
          state_dict: dict({}),
          callbacks: new Map([[classOf('pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint'), state]]),
        }),
      ),
      'epoch=4.ckpt': torchFile(
        dict({
          epoch: 4,
          global_step: 50,
          state_dict: dict({}),
          optimizer_states: [],
          checkpoint_callback_best_model_path: 'epoch=3-v0.ckpt',
          checkpoint_callback_best_model_score: float(0.25),
          hparams: dict({ lr: float(0.1) }),
        }),
      ),
    })
    const found = await scan(root)
    expect(found['epoch=3-v0.ckpt']).toMatchObject({ step: 40, epoch: 3 })
    expect(found['epoch=3-v0.ckpt']?.directions).toBeUndefined()
    expect(found['epoch=4.ckpt']).toMatchObject({ step: 50, pointsTo: [{ name: 'epoch=3-v0.ckpt' }] })
    expect(found['epoch=4.ckpt']?.meta.get('hyper_parameters')).toEqual(new Map([['lr', 0.1]]))
  })

  it('have the metrics of the row one step before their own, in full, later rows over earlier ones', async () => {
    const log = [
      'epoch,step,"a, ""b""",val_loss,note',
      '0,3,1.5,,',
      '0,3,,0.30000000000000004,"two\nlines"',
      '1,7,nan,inf,',
      '1,7,,-1e-05,',
      '1,8,9,9,',
    ].join('\r\n')
    const root = write(makeFolder(), {
      'metrics.csv': log,
      'checkpoints/a.ckpt': lightningFile({ step: 4 }),
      'checkpoints/b.ckpt': lightningFile({ step: 8 }),
      'checkpoints/c.ckpt': lightningFile({ step: 10 }),
    })
    const found = await scan(root)
    const metrics = (name: string) => [...(found[name]?.meta ?? [])].slice(2, -1)
    expect(metrics('a.ckpt')).toEqual([
      ['a, "b"', 1.5],
      ['val_loss', 0.30000000000000004],
      ['note', 'two\nlines'],
    ])
    expect(metrics('b.ckpt')).toEqual([
      ['a, "b"', NaN],
      ['val_loss', -1e-5],
    ])
    expect(metrics('c.ckpt')).toEqual([])
  })

  it('leave a metrics.csv of another program alone', async () => {
    const root = write(makeFolder(), { 'metrics.csv': 'step,loss\n3,1\n', 'a.ckpt': lightningFile({ step: 4 }) })
    expect((await scan(root))['a.ckpt']?.meta.has('loss')).toBe(false)
  })

  it('have the score that their callback gave them, also a copy of the same step, where nothing was logged', async () => {
    const callbacks = monitoring('val_loss', 'min', { 'a.ckpt': 0.25, 'b.ckpt': 0.75 })
    const root = write(makeFolder(), {
      'a.ckpt': lightningFile({ step: 4, callbacks }),
      'b.ckpt': lightningFile({ step: 8, callbacks }),
      'last.ckpt': lightningFile({ step: 8, callbacks }),
      'c.ckpt': lightningFile({ step: 12, callbacks }),
    })
    const found = await scan(root)
    const scores = Object.entries(found).map(([name, { meta }]) => [name, meta.get('val_loss')])
    expect(scores).toEqual([
      ['a.ckpt', 0.25],
      ['b.ckpt', 0.75],
      ['last.ckpt', 0.75],
      ['c.ckpt', undefined],
    ])
  })

  it('have their own score where another training saved at the same step into the same folder', async () => {
    const first = monitoring('val_loss', 'min', { 'a.ckpt': 0.75 })
    const second = monitoring('val_loss', 'min', { 'b.ckpt': 0.25 })
    const root = write(makeFolder(), {
      'a.ckpt': lightningFile({ step: 8, weights: [1], callbacks: first }),
      'b.ckpt': lightningFile({ step: 8, weights: [2], callbacks: second }),
      'last.ckpt': lightningFile({ step: 8, weights: [2], callbacks: second }),
    })
    const found = await scan(root)
    const scores = Object.entries(found).map(([name, { meta }]) => [name, meta.get('val_loss')])
    expect(scores).toEqual([
      ['a.ckpt', 0.75],
      ['b.ckpt', 0.25],
      ['last.ckpt', 0.25],
    ])
  })

  it('tell of two trainings with no step in common by what their callback kept, or how long their epochs are', async () => {
    const kept = (names: readonly string[]) =>
      monitoring('val_loss', 'min', Object.fromEntries(names.map((name, index) => [name, index])))
    const progress = (all: number, current: number) =>
      dict({ total: dict({ ready: all }), current: dict({ ready: current }) })
    const loops = (epoch: number, length: number) =>
      dict({
        fit_loop: dict({
          'epoch_loop.batch_progress': progress((epoch + 1) * length, length),
          epoch_progress: progress(epoch + 1, epoch + 1),
        }),
      })
    const scanned = await scan(
      write(makeFolder(), {
        'a.ckpt': lightningFile({ step: 20, callbacks: kept(['a.ckpt', 'b.ckpt']), loops: loops(1, 10) }),
        'c.ckpt': lightningFile({ step: 14, loops: loops(1, 7) }),
        'd.ckpt': lightningFile({ step: 15, callbacks: kept(['e.ckpt']) }),
      }),
    )
    expect(scanned['a.ckpt']?.training).toMatchObject({ epochStart: { epoch: 1, batches: 10 } })
    expect([...(scanned['a.ckpt']?.training?.kept?.values() ?? [])]).toEqual([new Set(['a.ckpt', 'b.ckpt'])])
    expect(scanned['c.ckpt']?.training?.epochStart).toEqual({ epoch: 1, batches: 7 })
    // It does not list itself: some other checkpoint's callback state.
    expect(scanned['d.ckpt']?.training).toBeUndefined()
  })

  it('are as old as their own files, whenever NeMo began to remove one and marked it for that', async () => {
    const run = write(makeFolder(), {
      'gpt--step=8.ckpt': lightningFile({ step: 8 }),
      'gpt--step=12.ckpt': lightningFile({ step: 12 }),
      'gpt--step=8-unfinished': '',
    })
    for (const [index, name] of ['gpt--step=8.ckpt', 'gpt--step=12.ckpt', 'gpt--step=8-unfinished'].entries())
      utimesSync(join(run, name), 1000 * (index + 1), 1000 * (index + 1))
    const { checkpoints } = await loadRun(storage, run)
    const measured = await measure(storage, checkpoints)
    expect(measured.map(({ name, modified, members }) => [name, modified, members.length])).toEqual([
      ['gpt--step=8.ckpt', 1000, 2],
      ['gpt--step=12.ckpt', 2000, 1],
    ])
    expect(byRecency(measured).trainings).toHaveLength(1)
  })

  it('tell of two trainings by their weights at one step', async () => {
    const root = write(makeFolder(), {
      'c-step=10.ckpt': lightningFile({ step: 10, weights: [1] }),
      'c-step=20.ckpt': lightningFile({ step: 20, weights: [2] }),
      'c-step=10-v1.ckpt': lightningFile({ step: 10, weights: [3] }),
    })
    ;['c-step=10.ckpt', 'c-step=20.ckpt', 'c-step=10-v1.ckpt'].forEach((name, index) => {
      utimesSync(join(root, name), 1000 + index * 5, 1000 + index * 5)
    })
    const measured = await measure(storage, Object.values(await scan(root)))
    expect(byRecency(measured).trainings.map((one) => one.map(({ name }) => name))).toEqual([
      ['c-step=10.ckpt', 'c-step=20.ckpt'],
      ['c-step=10-v1.ckpt'],
    ])
  })

  it('fall back on the rounded numbers in a name, but for a 0, which may stand for nothing', async () => {
    const root = write(makeFolder(), {
      'epoch=0-step=4-val_loss=-0.50-acc=0.00-v1.ckpt': lightningFile({ step: 5, epoch: 1 }),
      'best-epoch=2-val_loss=nan.ckpt': lightningFile({ step: 9, epoch: 2 }),
    })
    const found = Object.values(await scan(root)).map(({ step, epoch, meta }) => {
      return { step, epoch, metrics: [...meta].filter(([key]) => /^(val_loss|acc|best|step)/.test(key)) }
    })
    expect(found).toEqual([
      {
        step: 5,
        epoch: 1,
        metrics: [
          ['step', 5],
          ['val_loss', -0.5],
        ],
      },
      {
        step: 9,
        epoch: 2,
        metrics: [
          ['step', 9],
          ['val_loss', NaN],
        ],
      },
    ])
  })

  it('take hyper-parameters from hparams.yaml where the file has none', async () => {
    const root = write(makeFolder(), {
      'version_0/hparams.yaml': 'lr: 0.05\n',
      'version_0/checkpoints/a.ckpt': lightningFile({ step: 1 }),
      'version_0/checkpoints/b.ckpt': lightningFile({ step: 2, hyperParameters: dict({ lr: float(0.5) }) }),
    })
    const found = await scan(root)
    expect([found['a.ckpt'], found['b.ckpt']].map((one) => one?.meta.get('hyper_parameters'))).toEqual([
      new Map([['lr', 0.05]]),
      new Map([['lr', 0.5]]),
    ])
  })

  it('of equal scores are best where the callback says so', async () => {
    const callbacks = monitoring('acc', 'max', { 'a.ckpt': 0.5, 'b.ckpt': 0.5 })
    const root = write(makeFolder(), {
      'a.ckpt': lightningFile({ step: 4, callbacks }),
      'b.ckpt': lightningFile({ step: 8, callbacks }),
    })
    const { checkpoints } = await loadRun(storage, root)
    const { ordered } = byRecency(checkpoints)
    expect(ordered.map(({ name }) => name)).toEqual(['b.ckpt', 'a.ckpt'])
    expect(rank(ordered, { kind: 'max', key: 'acc' }, 0).map(({ name }) => name)).toEqual(['a.ckpt', 'b.ckpt'])
  })

  it('tell which way their metric gets better, whatever its name says, and so what the best is', async () => {
    const callbacks = monitoring('my_thing', 'max', { 'b.ckpt': 2, 'a.ckpt': 1 })
    const root = write(makeFolder(), {
      'a.ckpt': lightningFile({ step: 4, callbacks }),
      'b.ckpt': lightningFile({ step: 8, callbacks }),
      'metrics.csv': 'epoch,step,train_loss\n0,3,1\n0,7,2\n',
    })
    const { checkpoints } = await loadRun(storage, root)
    const order = bestOrder(checkpoints)
    expect(order).toMatchObject({ kind: 'max', key: 'my_thing' })
    expect(rank(checkpoints, order, 0).map(({ name }) => name)).toEqual(['b.ckpt', 'a.ckpt'])
    expect(metricOrders(checkpoints)).toEqual([{ kind: 'max', key: 'my_thing' }])
  })
})

describe('Lightning names with a slash', () => {
  it('are parts of one run, in folders however deep, of which nothing else is a run', async () => {
    const names = ['epoch=0-val/acc=0.5-val/loss=1.5.ckpt', 'epoch=1-val/acc=0.6-val/loss=1.2.ckpt', 'val/x=2.ckpt']
    const root = write(
      makeFolder(),
      Object.fromEntries(names.map((name, index) => [`checkpoints/${name}`, lightningFile({ step: index + 1 })])),
    )
    mkdirSync(join(root, 'checkpoints/epoch=9-val'))
    const runs = await findRuns(storage, root)
    expect(runs.map(({ path }) => path)).toEqual([join(root, 'checkpoints')])
    expect(runs[0]?.checkpoints.map(({ name }) => name)).toEqual(names)
    const { run, checkpoint } = await loadCheckpoint(storage, join(root, 'checkpoints', names[0] ?? ''), '/')
    expect([run.path, checkpoint.name]).toEqual([join(root, 'checkpoints'), names[0]])
  })

  it('are told from runs that lie below one another by what the callback knows of its folder', async () => {
    const callbacks = new Map([
      modelCheckpoint({
        monitor: 'loss',
        mode: 'min',
        folder: '/job/checkpoints/val',
        best: { 'x=1.ckpt': 1 },
        bestName: 'x=1.ckpt',
      }),
    ])
    const root = write(makeFolder(), {
      'checkpoints/val/x=1.ckpt': lightningFile({ step: 1, callbacks }),
      'checkpoints/lr=0.1/epoch=0-step=1.ckpt': lightningFile({ step: 1 }),
      'checkpoints/small/epoch=0-step=1.ckpt': lightningFile({ step: 1 }),
    })
    const runs = await findRuns(storage, root)
    expect(runs.map(({ path }) => path.slice(root.length + 1))).toEqual([
      'checkpoints/lr=0.1',
      'checkpoints/small',
      'checkpoints/val',
    ])
  })
})

describe('several callbacks', () => {
  const judging = (monitor: string, mode: 'min' | 'max', bestName: string, own = folder) =>
    modelCheckpoint({ monitor, mode, folder: own, best: { [bestName]: 1 }, bestName })
  const files = (callbacks: ReturnType<typeof monitoring>, names: readonly string[]) =>
    Object.fromEntries(names.map((name, index) => [name, lightningFile({ step: index + 1, callbacks })]))

  async function bestIn(root: string): Promise<string | undefined> {
    const { checkpoints } = await loadRun(storage, root)
    const { ordered } = byRecency(checkpoints)
    return rank(ordered, bestOrder(ordered), 100)[0]?.name
  }

  it('have the best of the first one for the best', async () => {
    const callbacks = new Map([judging('acc', 'max', 'a.ckpt'), judging('val_loss', 'min', 'b.ckpt')])
    expect(await bestIn(write(makeFolder(), files(callbacks, ['a.ckpt', 'b.ckpt', 'c.ckpt'])))).toBe('a.ckpt')
  })

  it('have none of one without a monitor, which names its newest', async () => {
    const key = "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_epochs': 1}"
    const newest = dict({ monitor: null, best_model_score: null, best_model_path: `${folder}/c.ckpt`, dirpath: folder })
    const callbacks = new Map([[key, newest] as const, judging('val_loss', 'min', 'b.ckpt')])
    const root = write(makeFolder(), files(callbacks, ['a.ckpt', 'b.ckpt', 'c.ckpt']))
    const { checkpoints } = await loadRun(storage, root)
    expect(checkpoints.flatMap(({ pointsTo }) => pointsTo.map(({ name }) => name))).toEqual([
      'b.ckpt',
      'b.ckpt',
      'b.ckpt',
    ])
    expect(await bestIn(root)).toBe('b.ckpt')
  })

  it('name none in the folder of another', async () => {
    const callbacks = new Map([
      judging('acc', 'max', 'x.ckpt', '/job/checkpoints/acc'),
      judging('val_loss', 'min', 'a.ckpt', '/job/checkpoints/loss'),
    ])
    const root = join(write(makeFolder(), files(callbacks, ['loss/a.ckpt', 'loss/x.ckpt'])), 'loss')
    const { checkpoints } = await loadRun(storage, root)
    expect(new Set(checkpoints.flatMap(({ pointsTo }) => pointsTo.map(({ name }) => name)))).toEqual(
      new Set(['a.ckpt']),
    )
    expect(await bestIn(root)).toBe('a.ckpt')
  })

  it('name none in the folder of another, where the own one judges nothing', async () => {
    const newest = dict({ monitor: null, best_model_path: '/job/all/c.ckpt', dirpath: '/job/all' })
    const callbacks = new Map([
      ["ModelCheckpoint{'monitor': None}", newest] as const,
      judging('val_loss', 'min', 'best.ckpt', '/job/best'),
    ])
    const root = join(write(makeFolder(), files(callbacks, ['all/a.ckpt', 'all/c.ckpt'])), 'all')
    const { checkpoints } = await loadRun(storage, root)
    expect(checkpoints.flatMap(({ pointsTo }) => pointsTo)).toEqual([])
  })
})

describe('last.ckpt', () => {
  const best = { 'a.ckpt': 0.25, 'b.ckpt': 0.75 }
  const callbacks = monitoring('val_loss', 'min', best)

  function makeRun(): string {
    return write(makeFolder(), {
      'a.ckpt': lightningFile({ step: 4, callbacks }),
      'b.ckpt': lightningFile({ step: 8, callbacks }),
    })
  }

  it('is the same as the checkpoint of its step with its weights, and comes behind it', async () => {
    const root = makeRun()
    copyFileSync(join(root, 'b.ckpt'), join(root, 'last.ckpt'))
    writeFileSync(join(root, 'last-v1.ckpt'), lightningFile({ step: 8, weights: [9], callbacks }))
    const { checkpoints } = await loadRun(storage, root)
    const { ordered } = byRecency(checkpoints)
    expect(ordered.map(({ name, sameAs }) => [name, sameAs])).toEqual([
      ['last-v1.ckpt', undefined],
      ['b.ckpt', undefined],
      ['last.ckpt', 'b.ckpt'],
      ['a.ckpt', undefined],
    ])
  })

  it('may have another name, CHECKPOINT_NAME_LAST, and is a copy under that too', async () => {
    const facts = {
      monitor: 'val_loss',
      mode: 'min',
      folder: '/x',
      best: { 'b-long.ckpt': 1 },
      bestName: 'b-long.ckpt',
    } as const
    const [key, state] = modelCheckpoint({ ...facts, lastPath: '/x/final.ckpt' })
    const bytes = lightningFile({ step: 8, callbacks: new Map([[key, state]]) })
    const root = write(makeFolder(), { 'b-long.ckpt': bytes, 'final.ckpt': bytes })
    const { checkpoints } = await loadRun(storage, root)
    expect(Object.fromEntries(checkpoints.map(({ name, sameAs }) => [name, sameAs]))).toEqual({
      'b-long.ckpt': undefined,
      'final.ckpt': 'b-long.ckpt',
    })
    const resume = checkpoints[0]?.pointsTo.find(({ purpose }) => purpose === 'resume')
    expect(resume).toMatchObject({ label: 'ckpt_path="last"', name: 'final.ckpt' })
  })

  it.each([
    ['relative', () => 'b.ckpt'],
    ['absolute', (root: string) => join(root, 'b.ckpt')],
  ])('as a %s link is the same as what it leads to, which it names', async (_, target) => {
    const root = makeRun()
    symlinkSync(target(root), join(root, 'last.ckpt'))
    const found = await scan(root)
    expect(found['last.ckpt']).toMatchObject({ step: 8, sameAs: 'b.ckpt' })
    expect(found['a.ckpt']?.pointsTo).toEqual([
      { label: 'best_model_path', name: 'a.ckpt', purpose: 'best', metric: 'val_loss', value: 0.25 },
      { label: 'last.ckpt', name: 'b.ckpt' },
      { label: 'ckpt_path="last"', name: 'last.ckpt', purpose: 'resume' },
    ])
  })

  it('that leads nowhere, to itself or to a file of another kind is not a checkpoint', async () => {
    const root = makeRun()
    symlinkSync('gone.ckpt', join(root, 'last.ckpt'))
    symlinkSync('last-v1.ckpt', join(root, 'last-v1.ckpt'))
    writeFileSync(join(root, 'text'), 'text')
    symlinkSync('text', join(root, 'last-v2.ckpt'))
    expect(Object.keys(await scan(root))).toEqual(['a.ckpt', 'b.ckpt'])
  })
})

describe('damaged Lightning checkpoints', () => {
  const sound = lightningFile({ step: 4 })

  it('are known among sound ones by any name, alone by a name that only Lightning gives', async () => {
    const cut = lightningFile({ step: 8 }).subarray(0, -40)
    const root = write(makeFolder(), {
      'epoch=0-step=4.ckpt': sound,
      'cut.ckpt': cut,
      'empty.ckpt': '',
      'zeros.ckpt': new Uint8Array(5000),
      'epoch=7-step=32.ckpt': 'version https://git-lfs.github.com/spec/v1',
      'evil.ckpt': torchFile(call('os.system', 'true')),
    })
    const findings = Object.values(await scan(root)).flatMap(({ name, step, health }) =>
      health.findings.map(({ grade, reason }) => `${name} (${step}) ${grade}: ${reason}`),
    )
    expect(findings.sort()).toEqual([
      expect.stringMatching(/^cut.ckpt \(null\) corrupt: killed while saving: \d+ .*bytes, no zip end record/),
      'empty.ckpt (null) corrupt: 0 bytes',
      'epoch=7-step=32.ckpt (32) corrupt: begins otherwise, and the others as torch.save writes',
      expect.stringMatching(/^evil.ckpt \(null\) corrupt: unsafe: its pickle calls os.system/),
      'zeros.ckpt (null) corrupt: begins with zeros alone, and the others as torch.save writes',
    ])
    expect(await namesIn({ 'epoch=0-step=4.ckpt': cut, 'cut.ckpt': cut, 'model.ckpt': '' })).toEqual([
      'epoch=0-step=4.ckpt',
    ])
    expect(await namesIn({ 'last.ckpt': cut })).toEqual(['last.ckpt'])
  })

  it('are told where something else has the name of the last one, but for text', async () => {
    const told = async (place: (path: string) => unknown) => {
      const root = write(makeFolder(), { 'epoch=0-step=4.ckpt': sound })
      place(join(root, 'last.ckpt'))
      const { checkpoints } = await loadRun(storage, root)
      const graded = await checkHealth(storage, checkpoints, await measure(storage, checkpoints), 'deep')
      return graded.flatMap(({ health }) => health.findings)
    }
    const other = 'begins otherwise, and the others as torch.save writes'
    expect(await told((path) => writeFileSync(path, Buffer.from('fffe0001', 'hex')))).toEqual([
      { grade: 'corrupt', reason: other },
    ])
    expect(await told((path) => mkdirSync(path))).toEqual([
      { grade: 'corrupt', reason: 'a folder, and none that Lightning saves' },
    ])
    const noFile = [{ grade: 'corrupt', reason: 'not a file, but a pipe, a socket or a device' }]
    expect(await told((path) => execFileSync('mkfifo', [path]))).toEqual(noFile)
    expect(await told((path) => symlinkSync('/dev/zero', path))).toEqual(noFile)
    expect(await told((path) => writeFileSync(path, 'epoch=0-step=4.ckpt'))).toEqual([])
  })

  it('that would run code have their facts all the same', async () => {
    const callbacks = new Map([['Evil', call('os.system', 'true')]])
    const root = write(makeFolder(), { 'a.ckpt': lightningFile({ step: 4, callbacks }) })
    expect((await scan(root))['a.ckpt']).toMatchObject({ step: 4 })
  })

  it('are listed when nothing is left but their first bytes', async () => {
    const root = copyFixture('frameworks/lightning/damaged')
    const checkpoints = Object.values(await scan(root))
    expect(checkpoints.map(({ name, health }) => [name, health.grade])).toContainEqual(['last.ckpt', 'corrupt'])
    for (const { path } of checkpoints) truncateSync(path, 100)
    expect(Object.keys(await scan(root))).toHaveLength(4)
  })
})

describe('Lightning checkpoints that are folders', () => {
  it('of FSDP have their facts in meta.pt, which is written last', async () => {
    const root = write(makeFolder(), {
      'epoch=0-step=4.ckpt/.metadata': 'x',
      'epoch=0-step=4.ckpt/__0_0.distcp': 'x',
      'epoch=0-step=4.ckpt/meta.pt': lightningFile({ step: 4 }),
      'epoch=1-step=8.ckpt/.metadata': 'x',
      'epoch=1-step=8.ckpt/__0_0.distcp': 'x',
      'other.ckpt/file': 'x',
    })
    const found = Object.values(await scan(root))
    expect(found.map(({ name, kind, step, health }) => [name, kind, step, health.grade])).toEqual([
      ['epoch=0-step=4.ckpt', 'directory', 4, 'unchecked'],
      ['epoch=1-step=8.ckpt', 'directory', 8, 'unfinished'],
    ])
    expect(found[0]?.files.map(({ key }) => key)).toEqual(['__0_0', 'meta'])
  })

  it('of DeepSpeed have them beside the first part of the model', async () => {
    const root = write(makeFolder(), {
      'a.ckpt/latest': 'checkpoint',
      'a.ckpt/checkpoint/mp_rank_00_model_states.pt': lightningFile({ step: 4, epoch: 2 }),
      'a.ckpt/checkpoint/zero_pp_rank_0_mp_rank_00_optim_states.pt': 'x',
    })
    expect((await scan(root))['a.ckpt']).toMatchObject({ kind: 'directory', step: 4, epoch: 2 })
  })
})

describe('One run of Lightning in several folders', () => {
  it('is one where a slash in a name joined by underscores makes a folder for each checkpoint', async () => {
    const runs = await findRuns(storage, join(fixtures, 'lightning-underscore'))
    expect(runs.map(({ checkpoints }) => checkpoints.length)).toEqual([4])
    expect(runs[0]?.checkpoints.map(({ meta }) => meta.get('xx/iou'))).toEqual([
      expect.closeTo(0.41),
      expect.closeTo(0.55),
      expect.closeTo(0.52),
      expect.closeTo(0.63),
    ])
  })

  it.each(['early', 'late'])('is one where Slurm’s warning saved above the callback’s folder: %s', async (when) => {
    const { checkpoints } = await loadRun(storage, join(fixtures, 'lightning-hpc', when))
    expect(checkpoints.map(({ name }) => name.replace(/\d+\.ckpt$/, ''))).toEqual(
      when === 'early' ? ['ck/epoch=', 'ck/epoch=', 'hpc_ckpt_'] : ['hpc_ckpt_', 'ck/epoch=', 'ck/epoch='],
    )
  })
})

it('files of one step are opened once each, though their weights are compared', async () => {
  const root = makeFolder()
  const file = fileURLToPath(new URL('../../../fixtures/parts/epoch=0-step=10.ckpt', import.meta.url))
  for (const name of ['epoch=0-step=10.ckpt', 'other-epoch=0-step=10.ckpt']) copyFileSync(file, join(root, name))
  const opened: string[] = []
  const counting = { ...storage, open: (path: string) => (opened.push(path), storage.open(path)) }
  const [run] = await findRuns(counting, root)
  const aliases = run?.checkpoints.map(({ name, sameAs }) => [name, sameAs])
  expect(aliases).toEqual([
    ['epoch=0-step=10.ckpt', undefined],
    ['other-epoch=0-step=10.ckpt', 'epoch=0-step=10.ckpt'],
  ])
  expect(opened.length).toBe(new Set(opened).size)
})
