import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { axisOf, curvesOf, drawRuns, openRun, smoothed, type CurveAxis } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

const fixtures = join(import.meta.dirname, '../../../fixtures/runs/frameworks')
const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-curves-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function curve(run: string, key: string, axis?: CurveAxis) {
  const opened = await openRun(storage, run)
  const [found] = await curvesOf(storage, opened, [key], axis ?? axisOf([opened]))
  if (found === undefined) throw new Error('no curve')
  return found
}

/** A SpeechBrain run in `save` below the folder; null has no value. */
function speechBrain(values: readonly (string | null)[], log?: string): string {
  const run = join(folder, 'save')
  for (const [index, value] of values.entries()) {
    const path = join(run, `CKPT+${index + 1}`)
    mkdirSync(path, { recursive: true })
    const own = value === null ? '' : `WER: ${value}\n`
    writeFileSync(join(path, 'CKPT.yaml'), `epoch: ${index + 1}\nunixtime: ${1_700_000_000 + index}\n${own}`)
    writeFileSync(join(path, 'model.ckpt'), 'x')
  }
  if (log !== undefined) writeFileSync(join(folder, 'train_log.txt'), log)
  return run
}

describe('a curve', () => {
  it('is the log of the whole training where the framework keeps one, with the checkpoints on it', async () => {
    const found = await curve(join(fixtures, 'detectron2/run'), 'total_loss')
    expect(found.logs).toEqual([join(fixtures, 'detectron2/run/metrics.json')])
    expect(found.points.length).toBeGreaterThan(found.checkpoints.length)
    for (const { x, y } of found.checkpoints) expect(found.points).toContainEqual({ x, y })
  })

  it.each([
    ['hf_trainer', 'eval_accuracy', 'trainer_state.json'],
    ['lightning', 'train_loss', 'metrics.csv'],
  ])('of %s is in its log', async (name, key, log) => {
    cpSync(join(fixtures, name, 'run'), join(folder, 'run'), { recursive: true })
    const found = await curve(join(folder, 'run'), key)
    expect(found.logs.map((path) => path.split('/').at(-1))).toEqual([log])
    expect(found.points.length).toBeGreaterThan(2)
  })

  it("is SpeechBrain's log, whose validation values have the meta's names", async () => {
    const lines = [1, 2, 3].map(
      (epoch) => `epoch: ${epoch}, lr: 1.00e-03 - train loss: 2.${epoch} - valid loss: 1.5, valid WER: 3${epoch}.25`,
    )
    const found = await curve(speechBrain(['31.25', '32.25'], `${lines.join('\n')}\nTest WER 12, nonsense: x\n`), 'WER')
    expect(found.points).toEqual([1, 2, 3].map((epoch) => ({ x: epoch, y: 30 + epoch + 0.25 })))
    expect(found.checkpoints).toHaveLength(2)
    expect(found.best?.name).toBe('CKPT+1')
  })

  /** With a log of that many epochs beside it. */
  function withLog(name: string, epochs: number): string {
    const run = join(folder, 'save')
    cpSync(join(fixtures, '..', name), run, { recursive: true })
    const lines = Array.from(
      { length: epochs },
      (_, at) => `epoch: ${at + 1} - train loss: 1.5 - valid loss: ${9 / (at + 1)}`,
    )
    writeFileSync(join(folder, 'train_log.txt'), lines.join('\n'))
    return run
  }

  it.each(['loss', 'train loss'])(
    "is SpeechBrain's log of epochs along the steps of its checkpoints: %s",
    async (key) => {
      const { axis, curves } = await drawRuns(storage, [await openRun(storage, withLog('asr_run', 30))], [key])
      expect(axis).toBe('step')
      expect(curves[0]?.logs).toEqual([join(folder, 'train_log.txt')])
      expect(curves[0]?.points.map(({ x }) => x)).toEqual(Array.from({ length: 30 }, (_, at) => 100 * (at + 1)))
    },
  )

  it.each(['asr_run', 'nutshell'])('of %s is along the epochs where the log knows no other', async (name) => {
    const run = withLog(name, 12)
    if (name === 'asr_run') {
      const meta = join(run, 'CKPT+2026-11-22+20-46-49+09', 'CKPT.yaml')
      writeFileSync(meta, readFileSync(meta, 'utf8').replace('step: 800', 'step: 801'))
    }
    const opened = [await openRun(storage, run)]
    const { axis, curves } = await drawRuns(storage, opened, ['loss', 'train loss'])
    expect(axis).toBe('epoch')
    expect(curves.map(({ points }) => points.length)).toEqual([12, 12])
    expect(curves[0]?.checkpoints.length).toBeGreaterThan(5)
    expect((await drawRuns(storage, opened, ['loss'], 'time')).axis).toBe('time')
  })

  it('without a log is what the checkpoints say, and one without the value is a gap', async () => {
    const { logs, points, checkpoints } = await curve(speechBrain(['3.5', null, '.nan', '2.5']), 'WER')
    expect(logs).toEqual([])
    expect(points.map(({ y }) => y)).toEqual([3.5, NaN, NaN, 2.5])
    expect(checkpoints.map(({ name }) => name)).toEqual(['CKPT+1', 'CKPT+4'])
  })

  it.each(['mmengine', 'mmengine_runner'])(
    'of %s has its checkpoints on it, along steps and along epochs',
    async (name) => {
      cpSync(join(fixtures, name, 'run'), join(folder, 'run'), { recursive: true })
      const key = name === 'mmengine' ? 'coco/bbox_mAP' : 'cls/accuracy'
      for (const axis of ['step', 'epoch'] as const) {
        const found = await curve(join(folder, 'run'), key, axis)
        expect(found.logs).toHaveLength(1)
        expect(found.points).toHaveLength(5)
        for (const { x, y } of found.checkpoints) expect(found.points).toContainEqual({ x, y })
        expect((await curve(join(folder, 'run'), 'loss', axis)).points).toHaveLength(5)
      }
    },
  )

  it.each([
    ['yolo', 'fitness', 'best.pt'],
    ['mmengine', 'coco/bbox_mAP', /epoch_5\.pth$/],
    ['ultralytics', 'fitness', /./],
  ])('of %s has the best marked where a copy of it lies beside it', async (name, key, best) => {
    cpSync(join(fixtures, name, 'run'), join(folder, 'run'), { recursive: true })
    const found = await curve(join(folder, 'run'), key)
    expect(found.best?.name).toMatch(best)
    expect(found.checkpoints).toContainEqual(found.best)
  })

  it.each(['mmengine', 'mmengine_runner'])('of %s has its checkpoints on what only the log tells', async (name) => {
    cpSync(join(fixtures, name, 'run'), join(folder, 'run'), { recursive: true })
    const found = await curve(join(folder, 'run'), 'loss', 'step')
    expect(found.checkpoints.length).toBeGreaterThan(2)
    for (const { x, y } of found.checkpoints) expect(found.points).toContainEqual({ x, y })
    expect(found.best?.y).toBe(Math.min(...found.checkpoints.map(({ y }) => y)))
  })

  it('has a checkpoint between two points at the value before it, and none beyond the log', async () => {
    const run = speechBrain([null, null, null, null], 'epoch: 1 - train loss: 3\nepoch: 3 - train loss: 2')
    const found = await curve(run, 'train loss', 'epoch')
    expect(found.checkpoints).toEqual([
      { name: 'CKPT+1', x: 1, y: 3 },
      { name: 'CKPT+2', x: 2, y: 3 },
      { name: 'CKPT+3', x: 3, y: 2 },
    ])
  })

  it('has of equal values the newest for the best, as list has', async () => {
    expect((await curve(speechBrain(['2', '1', '1', '3']), 'WER')).best?.name).toBe('CKPT+3')
  })

  it('goes along what all checkpoints count that tell anything', async () => {
    const run = speechBrain(['3', '2', '1'])
    writeFileSync(join(run, 'CKPT+2', 'CKPT.yaml'), '{{{')
    expect((await curve(run, 'WER')).points.map(({ x }) => x)).toEqual([1, 3])
  })

  it('along the time goes by when the checkpoints were saved', async () => {
    const { points } = await curve(speechBrain(['3', '2']), 'WER', 'time')
    expect(points.map(({ x }) => x)).toEqual([1_700_000_000, 1_700_000_001])
  })

  it('of a log that is cut, binary or a folder is what can be read of it', async () => {
    const run = speechBrain(['3', '2'], '\0\0epoch: 1 - valid WER\n- - ,,: \nepoch: x, WER: 3')
    expect((await curve(run, 'WER')).logs).toEqual([])
    rmSync(join(folder, 'train_log.txt'))
    mkdirSync(join(folder, 'train_log.txt'))
    expect((await curve(run, 'WER')).points).toHaveLength(2)
  })
})

describe('smoothing', () => {
  it('leaves constant values and gaps as they are', () => {
    const points = [5, 5, NaN, 5].map((y, x) => ({ x, y }))
    expect(smoothed(points, 0.9).map(({ y }) => (Number.isNaN(y) ? y : Math.round(y * 1e9) / 1e9))).toEqual([
      5,
      5,
      NaN,
      5,
    ])
  })

  it('with no weight changes nothing', () => {
    const points = [1, 4, 2].map((y, x) => ({ x, y }))
    expect(smoothed(points, 0)).toEqual(points)
  })
})
