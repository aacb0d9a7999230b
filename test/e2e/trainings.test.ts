import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt } from './ckpt.js'
import { makeHfRun } from './hf-runs.js'
import { document, makeRun } from './runs.js'

/** One ended two days ago; another began in its folder, and its loss is higher still. */
function reused(): string {
  const saved = (step: number, age: number, loss: number) => ({
    step,
    age,
    state: { log_history: [{ step, eval_loss: loss }] },
  })
  const old = [saved(500, 2900, 0.3), saved(600, 2890, 0.2), saved(700, 2880, 0.1)]
  return makeHfRun([...old, saved(100, 62, 0.9), saved(200, 60, 0.8)])
}

function logOf(step: number, loss: number) {
  return { log_history: [{ step, eval_loss: loss }] }
}

describe('a new training in the folder of an old one', () => {
  it('has its checkpoints kept, and not the higher steps in their place', async () => {
    const run = reused()
    expect((await ckpt(['prune', run, '--keep', '2', '--yes'])).status).toBe(0)
    expect(readdirSync(run).sort()).toEqual(['checkpoint-100', 'checkpoint-200'])
  })

  it('keeps its own best too, where an older one is better', async () => {
    const flags = ['--keep', '1', '--min', 'eval_loss', '--keep-every', 'step=100', '--no-keep-recent', '--dry-run']
    const plan = await document<{ keep: { name: string; reasons: string[] }[] }>(['prune', reused(), ...flags])
    expect(plan.keep.map(({ name }) => name)).toEqual(expect.arrayContaining(['checkpoint-700', 'checkpoint-200']))
    const own = plan.keep.find(({ name }) => name === 'checkpoint-200')
    expect(own?.reasons).toContain('best by --min eval_loss in the newest training')
  })

  it('is what recover takes, and an older one is told', async () => {
    const run = reused()
    const { stdout, stderr } = await ckpt(['recover', run])
    expect(stdout).toBe(`${join(run, 'checkpoint-200')}\n`)
    expect(stderr).toMatch(/2 trainings lie in this folder/)
    const older = await ckpt(['recover', run, '--min', 'eval_loss'])
    expect(older.stdout).toBe(`${join(run, 'checkpoint-700')}\n`)
    expect(older.stderr).toContain('checkpoint-700 is of an older training than the newest in this folder')
  })
})

describe('--training', () => {
  it('says which of several trainings is meant, the oldest being 1, wherever one is chosen', async () => {
    const run = reused()
    const [, ...rows] = (await ckpt(['list', run])).stdout.trimEnd().split('\n')
    expect(rows.map((row) => row.trim().split(/ {2,}/).slice(0, 2).join(' '))).toEqual([
      'checkpoint-200 2',
      'checkpoint-100 2',
      'checkpoint-700 1',
      'checkpoint-600 1',
      'checkpoint-500 1',
    ])
    const listed = await document<{ checkpoints: { training?: number }[] }>(['list', run, '--training', '1'])
    expect(listed.checkpoints.map(({ training }) => training)).toEqual([1, 1, 1])
    expect((await ckpt(['find', run, '--training', '1'])).stdout).toBe(`${join(run, 'checkpoint-700')}\n`)
    expect((await ckpt(['recover', run, '--training', 'newest', '--min', 'eval_loss'])).stdout).toBe(
      `${join(run, 'checkpoint-200')}\n`,
    )
    expect((await ckpt(['recover', run, '--training', '3'])).status).toBe(3)
    expect((await ckpt(['list', run, '--training', 'old'])).status).toBe(2)
  })

  it('lets a prune take only what is of that training', async () => {
    const run = reused()
    expect((await ckpt(['prune', run, '--training', '1', '--keep', '1', '--yes'])).status).toBe(0)
    expect(readdirSync(run).sort()).toEqual(['checkpoint-100', 'checkpoint-200', 'checkpoint-700'])
  })
})

describe('a job under ckpt run that trains from scratch in the folder of an old training', () => {
  it.each([
    ['the old steps are higher', '--keep 2', ['checkpoint-100', 'checkpoint-200']],
    [
      'the policy finds each of the old ones better',
      '--keep 2 --min eval_loss --no-keep-recent --training all',
      ['checkpoint-100', 'checkpoint-200', 'checkpoint-600', 'checkpoint-700'],
    ],
  ])('has not all removed that it saved, though %s', async (_, policy, left) => {
    const run = makeHfRun([500, 600, 700].map((step) => ({ step, age: 2900 - step / 100, state: logOf(step, 0.1) })))
    const fresh = makeHfRun([100, 200].map((step) => ({ step, age: 1, state: logOf(step, 0.9) })))
    const job = ['bash', '-c', 'cp -r "$0"/* .', fresh]
    expect((await ckpt(['run', '.', ...policy.split(' '), '--yes', '--', ...job], { cwd: run })).status).toBe(0)
    expect(readdirSync(run).sort()).toEqual(left)
  })
})

describe('a unixtime in the future', () => {
  it('is reported, and its order stays', async () => {
    const later = Date.now() / 1000 + 3 * 86_400
    const run = makeRun({ 'CKPT+a': `unixtime: ${later}\n`, 'CKPT+b': 'unixtime: 1000000\n' })
    const { stdout, stderr } = await ckpt(['find', run])
    expect(stdout).toBe(`${join(run, 'CKPT+a')}\n`)
    expect(stderr).toMatch(/the unixtime of CKPT\+a lies 3 days in the future/)
  })
})
