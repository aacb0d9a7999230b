import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { floats, writeTensors } from '../core/tensors/transfer/files.js'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { document, parse, type Answer } from './runs.js'

const newest = 'CKPT+2026-11-22+20-46-49+09'
let run = ''

beforeAll(() => {
  run = copyFixture('runs/asr_run')
})

describe('ckpt show', () => {
  it('tells everything about a checkpoint, numbers with all their digits', async () => {
    const { stdout, status } = await ckpt(['show', join(run, newest)])
    expect(status).toBe(0)
    for (const line of [
      /^ {2}ACC +0\.8888888955116272$/m,
      /^ {2}WER +5$/m,
      /^ {2}data +\{hours: 960, split: dev-clean\}$/m,
      /^ {2}lr +1\.0000000000000002e-7$/m,
      /^ {2}unixtime +1795380409\.2140698$/m,
      /^ {2}health +whole$/m,
      /^ {2}model +36\.8 kB +model\.ckpt$/m,
      /^ {2}saved +2026-11-22T20:46:49Z /m,
    ]) {
      expect(stdout).toMatch(line)
    }
  })

  it('takes a name in the run of this folder for a checkpoint', async () => {
    const byName = await ckpt(['show', newest, '--json'], { cwd: run })
    const byPath = await ckpt(['show', join(run, newest), '--json'])
    expect(byName).toEqual(byPath)
    expect(parse<{ checkpoint: Answer['checkpoints'][0] }>(byName).checkpoint.name).toBe(newest)
  })

  it('takes the checkpoint that one stands in', async () => {
    const { checkpoint } = await document<{ checkpoint: Answer['checkpoints'][0] }>(['show'], {
      cwd: join(run, newest),
    })
    expect(checkpoint.name).toBe(newest)
  })

  it('sums a run up: how many, the newest, and the best by each metric', async () => {
    const { stdout } = await ckpt(['show', run])
    expect(stdout).toMatch(/checkpoints +10, 1\.19 MB/)
    expect(stdout).toMatch(new RegExp(`latest +${newest.replaceAll('+', '\\+')}`))
    expect(stdout).toMatch(/best loss .* 0\.375 \(min\)/)
    expect(stdout).toMatch(/best ACC .* \(max\)/)
  })

  it('lists the tensors of a safetensors file, alone and in a checkpoint', async () => {
    const file = writeTensors(
      join(temporaryDirectory(), 'model.safetensors'),
      [floats('layer.weight', [2, 3], [1, 2, 3, 4, 5, 6]), floats('layer.bias', [2], [1, 2])],
      { format: 'pt' },
    )
    const { stdout } = await ckpt(['show', file])
    expect(stdout).toMatch(/layer\.weight +F32 +\[2, 3\]/)
    expect(stdout).toMatch(/format +pt/)
    const answer = await document<{ metadata: unknown; tensors: unknown }>(['show', file])
    expect(answer).toMatchObject({
      metadata: { format: 'pt' },
      tensors: [
        { name: 'layer.weight', dtype: 'F32', shape: [2, 3], bytes: 24 },
        { name: 'layer.bias', dtype: 'F32', shape: [2], bytes: 8 },
      ],
    })
    const trainer = copyFixture('runs/frameworks/hf_trainer/run')
    const shown = await document<{ tensors: Record<string, unknown[]> }>(['show', join(trainer, 'checkpoint-24')])
    expect(shown.tensors['model']?.length).toBeGreaterThan(10)
  })

  it('names what is wrong with a damaged one, and still exits with 0: it was shown', async () => {
    const damaged = copyFixture('runs/asr_run_damaged')
    const got = await ckpt(['show', join(damaged, newest)])
    expect(got.status).toBe(0)
    expect(got.stdout).toMatch(/health +corrupt/)
    expect(got.stdout).toContain('18386 of 36772 bytes')
  })
})
