import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scene, type Story } from './scene.js'

const exits =
  (status: number, seconds = 60): Story =>
  (job) =>
    job.at(seconds, () => job.exit(status))

/** The next epoch, then a crash. */
const oneEpoch =
  (epoch: number): Story =>
  (job) => {
    job.at(30, () => job.save(epoch))
    job.at(60, () => job.exit(1))
  }

describe('a start', () => {
  it('the first one is plain, and that is told', async () => {
    const { play, run, started, told } = scene({ resumeArgs: ['--resume', '{path}'] })
    expect(await play([exits(0)])).toEqual({ status: 0, ending: 'done' })
    expect(started).toEqual([['train']])
    expect(told).toEqual([`no checkpoint yet in ${run}: a first start`])
  })

  it('resumes from the newest whole checkpoint, not from what a kill left', async () => {
    const { play, run, save, started, told } = scene({ resumeArgs: ['--resume', '{path}', '--epoch={meta:epoch}'] })
    save(1)
    save(2)
    writeFileSync(join(run, save(3), 'model.ckpt'), '')
    await play([exits(0)])
    expect(started).toEqual([['train', '--resume', join(run, 'CKPT+ep002'), '--epoch=2']])
    expect(told[0]).toMatch(/passed over CKPT\+ep003: model\.ckpt: 0 bytes/)
  })

  it('with checkpoints of which none is whole is none', async () => {
    const { play, run, save, started } = scene()
    writeFileSync(join(run, save(1), 'model.ckpt'), '')
    await expect(play([exits(0)])).rejects.toMatchObject({ code: 'damaged', exitStatus: 4 })
    expect(started).toEqual([])
  })

  it('tells the command which it is, and how the last one ended', async () => {
    const { play, environments } = scene()
    await play([exits(7), exits(0)])
    expect(
      environments.map(({ CKPT_ATTEMPT, CKPT_REASON, CKPT_PREVIOUS_EXIT }) => [
        CKPT_ATTEMPT,
        CKPT_REASON,
        CKPT_PREVIOUS_EXIT,
      ]),
    ).toEqual([
      ['1', 'first', undefined],
      ['2', 'failed', '7'],
    ])
  })
})

describe('retries', () => {
  it('are given back with each new checkpoint: ten epochs, a crash after each', async () => {
    const { play, started, entries } = scene({ resumeArgs: ['{name}'] })
    const stories = Array.from({ length: 10 }, (_, index) => oneEpoch(index + 1))
    expect(await play([...stories, exits(0)])).toMatchObject({ status: 0 })
    expect(started.map(([, name]) => name)).toEqual([
      undefined,
      ...Array.from({ length: 10 }, (_, index) => `CKPT+ep${String(index + 1).padStart(3, '0')}`),
    ])
    const saved = entries().flatMap((entry) => (entry.what === 'checkpoint' ? [entry.epoch] : []))
    expect(saved).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('without progress end after as many as there are, and the last status is the answer', async () => {
    const { play, started, told } = scene()
    expect(await play([exits(9)])).toEqual({ status: 9, ending: 'failed' })
    expect(started).toHaveLength(4)
    expect(told.at(-1)).toContain('all 3 retries are used up')
  })

  it('wait twice as long each time, up to the cap', async () => {
    const { play, now } = scene({ backOff: { first: 100, cap: 250 } })
    await play([exits(1)])
    expect(now()).toBeCloseTo(4 * 60 + 100 + 200 + 250, 0)
  })
})
