import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { makeHfRun } from './hf-runs.js'
import { document, makeRun, names } from './runs.js'

const log = [
  { step: 100, loss: 0.9 },
  { step: 100, eval_loss: 0.6, eval_accuracy: 0.71, eval_wer: 9 },
  { step: 200, loss: 0.5 },
  { step: 200, eval_loss: 0.52, eval_accuracy: 0.8, eval_wer: 12 },
  { step: 300, loss: 0.3 },
  { step: 300, eval_loss: 0.5, eval_accuracy: 0.79, eval_wer: 10 },
]

/** Each checkpoint's log up to it, and what the Trainer holds for the best. */
function judged(best: number, metric: number): string {
  return makeHfRun(
    [100, 200, 300].map((step) => ({
      step,
      age: 1000 - step,
      state: {
        log_history: log.filter((one) => one.step <= step),
        best_model_checkpoint: step < best ? `out/checkpoint-${step}` : `out/checkpoint-${best}`,
        best_metric: step < best ? null : metric,
        best_global_step: step < best ? null : best,
      },
    })),
  )
}

describe('the best that the framework itself names', () => {
  it('is what find best gives, and the others follow by the metric it was judged by', async () => {
    const run = judged(200, 0.8)
    expect(await names(['find', 'best', run, '--num', '3'])).toEqual(
      [200, 300, 100].map((step) => `checkpoint-${step}`),
    )
    expect((await ckpt(['recover', run, '--max', 'eval_accuracy'])).stdout).toMatch(/checkpoint-200\n$/)
  })

  it('is marked in list and show, with its value', async () => {
    const run = judged(200, 0.8)
    const { checkpoints } = await document(['list', run])
    expect(checkpoints.find(({ name }) => name === 'checkpoint-200')?.marks).toContain('named best')
    expect((await ckpt(['show', join(run, 'checkpoint-200')])).stdout).toMatch(
      /named best +by best_model_checkpoint of checkpoint-300 \(eval_accuracy 0\.8\)/,
    )
    const shown = await document<{ named: unknown }>(['show', run])
    expect(shown.named).toEqual([
      {
        label: 'best_model_checkpoint',
        by: 'checkpoint-300',
        name: 'checkpoint-200',
        metric: 'eval_accuracy',
        value: 0.8,
        there: true,
      },
    ])
  })

  it('is told where it is gone, and the best of the others by that metric is given', async () => {
    const run = judged(200, 0.8)
    rmSync(join(run, 'checkpoint-200'), { recursive: true })
    for (const args of [
      ['list', run],
      ['show', run],
      ['verify', run],
      ['find', 'best', run],
    ]) {
      expect((await ckpt(args)).stderr).toMatch(
        /checkpoint-200 is not there, which best_model_checkpoint of checkpoint-300 names the best \(eval_accuracy 0\.8\)/,
      )
    }
    expect(await names(['find', 'best', run])).toEqual(['checkpoint-300'])
  })

  it('is told where it is the worst by the name of its metric', async () => {
    const run = judged(200, 12)
    const { stderr, stdout } = await ckpt(['find', 'best', run])
    expect(stdout).toMatch(/checkpoint-200\n$/)
    expect(stderr).toContain('takes the highest eval_wer for the best, and its name says that lower is better')
    expect((await ckpt(['find', run, '--min', 'eval_wer'])).stderr).toContain(
      "--min eval_wer: the framework's own settings say of eval_wer that higher is better",
    )
  })

  it('is the metric alone where a filter leaves it out', async () => {
    expect(await names(['find', 'best', judged(200, 0.8), '--where', 'step != 200'])).toEqual(['checkpoint-300'])
  })
})

describe('best', () => {
  it('goes by no training loss where there is an evaluation', async () => {
    const run = makeHfRun(
      [1, 2].map((step) => ({
        step,
        state: {
          log_history: [
            { step, loss: step },
            { step, eval_loss: 3 - step },
          ],
        },
      })),
    )
    expect(await names(['find', 'best', run])).toEqual(['checkpoint-2'])
    const { checkpoints } = await document(['list', run])
    expect(checkpoints.flatMap(({ marks = [] }) => marks.filter((mark) => mark.startsWith('best')))).toEqual([
      'best eval_loss',
    ])
  })

  it('warns of an order that takes the worst for the best', async () => {
    const run = makeRun({ 'CKPT+a': 'WER: 1\nunixtime: 1\n', 'CKPT+b': 'WER: 2\nunixtime: 2\n' })
    for (const args of [
      ['find', run, '--max', 'WER'],
      ['prune', run, '--max', 'WER', '--dry-run'],
      ['runs', run, '--max', 'WER'],
      ['du', run, '--keep', '1', '--max', 'WER'],
      ['report', run, '--keep', '1', '--max', 'WER', '--output', join(temporaryDirectory(), 'page.html')],
      ['stalled', run, '--max', 'WER', '--patience', '9'],
      ['watch', run, '--max', 'WER', '--until', 'WER > 0'],
      ['run', run, '--stop-max', 'WER', '--patience', '1', '--', 'true'],
    ])
      expect((await ckpt(args)).stderr).toMatch(/--(stop-)?max WER: its name says of WER that lower is better/)
    expect((await ckpt(['find', run, '--min', 'WER'])).stderr).toBe('')
  })
})

describe('a metric that no checkpoint has', () => {
  it.each([
    ['du', '--keep', '1', '--min', 'wer'],
    ['report', '--keep', '1', '--min', 'wer', '--json'],
    ['recover', '--min', 'wer'],
    ['export', '--where', 'wer < 3', '--into', '/nowhere/x'],
    ['average', '--num', '2', '--min', 'wer', '--output', '/nowhere/x.safetensors'],
    ['stalled', '--min', 'wer', '--patience', '2'],
    ['watch', '--min', 'wer', '--until', 'WER > 0'],
    ['watch', '--until', 'wer > 0 or WER > 0'],
  ])('%s %s %s: the one that was meant is named', async (command, ...flags) => {
    const run = makeRun({ 'CKPT+a': 'WER: 1\nunixtime: 1\n' })
    expect((await ckpt([command, run, ...flags])).stderr).toContain('no checkpoint has "wer"; did you mean "WER"?')
  })
})

describe('a second order', () => {
  const meta = (values: string) => `${values}\n`
  const run = () =>
    makeRun({
      'CKPT+a': meta('loss: 1\nacc: 0.5\nunixtime: 1'),
      'CKPT+b': meta('loss: 1\nacc: 0.7\nunixtime: 2'),
      'CKPT+c': meta('loss: 1\nunixtime: 3'),
      'CKPT+d': meta('loss: 2\nacc: 0.9\nunixtime: 4'),
    })

  it('decides between equal ones; without its value one comes behind them', async () => {
    const args = ['--min', 'loss', '--then-max', 'acc', '--num', '4']
    expect(await names(['find', run(), ...args])).toEqual(['CKPT+b', 'CKPT+a', 'CKPT+c', 'CKPT+d'])
    expect(await names(['find', run(), '--min', 'loss'])).toEqual(['CKPT+c'])
  })

  it('decides who stays, and is reported in the plan', async () => {
    const args = ['prune', run(), '--min', 'loss', '--then-max', 'acc', '--no-keep-recent', '--dry-run']
    const { keep } = await document<{ keep: { name: string; reasons: string[] }[] }>(args)
    expect(keep.find(({ name }) => name === 'CKPT+b')?.reasons).toEqual(['best by --min loss --then-max acc'])
  })

  it('needs a first', async () => {
    expect((await ckpt(['find', run(), '--then-min', 'loss'])).status).toBe(2)
    expect((await ckpt(['find', run(), '--min', 'loss', '--then-min', 'a', '--then-max', 'b'])).status).toBe(2)
  })
})
