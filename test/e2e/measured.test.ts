import { describe, expect, it } from 'vitest'
import { ckpt } from './ckpt.js'
import { makeHfRun } from './hf-runs.js'
import { document, names } from './runs.js'

/** Evaluated at 1000 (0.5) and 2000 (0.7); saved every 250 steps. */
function sparselyEvaluated(): string {
  const evaluations = [
    { step: 1000, epoch: 1, eval_loss: 0.5 },
    { step: 2000, epoch: 2, eval_loss: 0.7 },
  ]
  return makeHfRun(
    [1000, 1250, 1750, 2000, 2250].map((step) => ({
      step,
      age: 3000 - step,
      state: { log_history: evaluations.filter((one) => one.step <= step) },
    })),
  )
}

describe('a value that was measured at another step', () => {
  it('counts for no order, no filter and no mark', async () => {
    const run = sparselyEvaluated()
    expect(await names(['find', run, '--min', 'eval_loss', '--num', '9'])).toEqual([
      'checkpoint-1000',
      'checkpoint-2000',
    ])
    expect(await names(['find', run, '--where', 'eval_loss < 1', '--num', '9'])).toHaveLength(2)
    const { checkpoints } = await document(['list', run])
    expect(checkpoints.flatMap(({ name, marks }) => (marks?.includes('best eval_loss') ? [name] : []))).toEqual([
      'checkpoint-1000',
    ])
  })

  it('does not remove the one that was measured', async () => {
    const run = sparselyEvaluated()
    const plan = await document<{ keep: { name: string }[] }>([
      ...['prune', run, '--keep', '1', '--min', 'eval_loss', '--no-keep-recent', '--dry-run'],
    ])
    expect(plan.keep.map(({ name }) => name)).toContain('checkpoint-1000')
  })

  it('is shown with its step', async () => {
    const run = sparselyEvaluated()
    expect((await ckpt(['list', run, '--columns', 'name,eval_loss'])).stdout).toMatch(/checkpoint-2250 +0\.7@2000\n/)
    expect((await ckpt(['show', `${run}/checkpoint-2250`])).stdout).toMatch(/eval_loss +0\.7 \(measured at step 2000\)/)
    const { checkpoints } = await document(['find', run])
    expect(checkpoints[0]).toMatchObject({ measuredAt: { eval_loss: { step: 2000, epoch: 2 } } })
  })

  it('is told where an order asks for a key that was measured at no saved step', async () => {
    const run = makeHfRun([{ step: 9, state: { log_history: [{ step: 6, eval_loss: 1 }] } }])
    const { status, stderr } = await ckpt(['find', run, '--min', 'eval_loss'])
    expect([status, stderr]).toEqual([3, expect.stringContaining('saved at a step at which "eval_loss"') as string])
  })
})
