import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dict, torchFile } from '../core/checkpoints/layouts/lightning-files.js'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { allFiles, makeHfRun } from './hf-runs.js'
import { document, makeRun } from './runs.js'

/** As Lightning writes it; without the optimizer as `save_weights_only` leaves it. */
function lightning(step: number, full: boolean) {
  const rest = full ? { optimizer_states: [dict({ lr: 1 })], lr_schedulers: [], callbacks: dict({}) } : {}
  const facts = { epoch: step / 100, global_step: step, 'pytorch-lightning_version': '2.4.0', loops: dict({}) }
  return torchFile(dict({ ...facts, state_dict: dict({}), ...rest }))
}

function lightningRun(files: Readonly<Record<string, Buffer>>): string {
  const run = temporaryDirectory()
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(run, name), bytes)
    utimesSync(join(run, name), 1_700_000_000, 1_700_000_000)
  }
  return run
}

describe('what a job can go on from', () => {
  it('comes before weights alone, however new or good they are, and these are told', async () => {
    const run = lightningRun({
      'epoch=3-step=300.ckpt': lightning(300, false),
      'epoch=2-step=200.ckpt': lightning(200, true),
      'epoch=1-step=100.ckpt': lightning(100, true),
    })
    const { stdout, stderr } = await ckpt(['recover', run])
    expect(stdout).toBe(`${join(run, 'epoch=2-step=200.ckpt')}\n`)
    expect(stderr).toContain(
      'passed over epoch=3-step=300.ckpt: a job cannot go on from it: no optimizer, no scheduler',
    )
    const plan = await document<{ keep: { name: string; reasons: string[] }[] }>([
      'prune',
      run,
      '--keep',
      '1',
      '--verify',
      'none',
      '--dry-run',
    ])
    expect(plan.keep.map(({ name }) => name)).toEqual(['epoch=3-step=300.ckpt', 'epoch=2-step=200.ckpt'])
    expect(plan.keep[1]?.reasons).toContain('the newest that can be resumed from')
  })

  it('is not a copy of weights alone of the same step', async () => {
    const run = lightningRun({ 'epoch=3-step=300.ckpt': lightning(300, false), 'last.ckpt': lightning(300, true) })
    expect((await ckpt(['recover', run])).stdout).toBe(`${join(run, 'last.ckpt')}\n`)
    expect((await ckpt(['list', run])).stdout).not.toContain('same as')
  })

  it('is asked for by parts of a file with --require', async () => {
    const run = lightningRun({
      'epoch=3-step=300.ckpt': lightning(300, false),
      'epoch=2-step=200.ckpt': lightning(200, true),
    })
    const wanted = ['--require', 'model,optimizer,callbacks']
    expect((await ckpt(['recover', run, ...wanted])).stdout).toBe(`${join(run, 'epoch=2-step=200.ckpt')}\n`)
    const none = await ckpt(['recover', run, '--require', 'ema'])
    expect(none.status).toBe(3)
    expect(none.stderr).toContain('holds no ema: in it are epoch, global_step')
  })

  it('is told where it is the model alone, or lacks the random state', async () => {
    const model = ['model.safetensors', 'training_args.bin']
    const alone = await ckpt(['recover', makeHfRun([{ step: 100, files: model }])])
    expect(alone.stderr).toContain(
      'checkpoint-100 has only the model to resume from: no optimizer, no scheduler, no random',
    )
    const almost = makeHfRun([{ step: 100, files: allFiles.filter((name) => !name.startsWith('rng')) }])
    expect((await ckpt(['recover', almost])).stderr).toContain('not exactly: no random state in it')
    expect((await ckpt(['recover', makeHfRun([{ step: 100 }])])).stderr).toBe('')
  })

  it('is reported by list, show, a filter and --json', async () => {
    const run = makeHfRun([{ step: 100 }, { step: 200, files: ['model.safetensors'] }])
    const { stdout } = await ckpt(['list', run, '--columns', 'name,resumable'])
    expect(stdout).toMatch(/checkpoint-200 +no \(no optimizer, no scheduler, no random state\)\ncheckpoint-100 +yes\n/)
    expect((await ckpt(['show', join(run, 'checkpoint-200')])).stdout).toMatch(/resumable +no \(no optimizer/)
    const { checkpoints } = await document(['find', run, '--where', 'resumable'])
    expect(checkpoints).toMatchObject([{ name: 'checkpoint-100', resumable: true }])
  })

  it('is, among SpeechBrain folders, the one with the optimizer that the others have', async () => {
    const meta = (time: number) => `WER: ${time}\nunixtime: ${time}\n`
    const run = makeRun({
      'CKPT+1': { 'CKPT.yaml': meta(1), 'model.ckpt': 'x', 'optimizer.ckpt': 'x', 'noam_scheduler.ckpt': 'x' },
      'CKPT+2': { 'CKPT.yaml': meta(9), 'model.ckpt': 'x' },
    })
    const { stdout, stderr } = await ckpt(['recover', run])
    expect(stdout).toBe(`${join(run, 'CKPT+1')}\n`)
    expect(stderr).toContain('CKPT+2: a job cannot go on from it: no optimizer, no scheduler')
  })
})
