import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shortenNames } from '../../src/render/shorten.js'
import { displayWidth } from '../../src/render/text-width.js'

describe('shortenNames', () => {
  it('leaves names that fit', () => {
    expect(shortenNames(['a/b', 'c'], 10)).toEqual(['a/b', 'c'])
  })

  it('takes from the middle, and keeps the part that differs', () => {
    const sweep = ['0.1000', '0.0100', '0.0010'].map(
      (lr, index) => `tiny/train_fn_d624c_0000${index}_lr=${lr}_2026-11-28_23-45-48`,
    )
    const short = shortenNames(sweep, 24)
    expect(new Set(short).size).toBe(3)
    for (const name of short) expect(name).toContain('…')
    expect(
      shortenNames(['multirun/2026-11-28/23-45-30/0/checkpoints', 'multirun/2026-11-28/23-45-30/1/checkpoints'], 22),
    ).toEqual([expect.stringMatching(/0\/checkpoints$/), expect.stringMatching(/1\/checkpoints$/)])
  })

  it('tells runs of a sweep apart whose names differ in the middle, at the widths of terminals', () => {
    const runs = Array.from({ length: 500 }, (_, index) => {
      const lr = ['0.0001', '0.0003', '0.001'][index % 3] ?? ''
      return `speechbrain_librispeech_conformer_large_lr${lr}_seed${String(index).padStart(3, '0')}_bpe5000_final_v2/save`
    })
    for (const count of [3, 30, 500]) {
      for (const width of [24, 40, 70]) {
        const short = shortenNames(runs.slice(0, count), width)
        expect(new Set(short).size).toBe(count)
        if (count > 3)
          for (const [index, name] of short.entries()) expect(name).toContain(`seed${String(index).padStart(3, '0')}_`)
        for (const [index, name] of short.entries())
          expect(name).toContain(`lr${['0.0001', '0.0003', '0.001'][index % 3]}_`)
      }
    }
    expect(shortenNames(runs.slice(0, 30), 40)[7]).toBe('speechbrain_…lr0.0003_seed007_…v2/save')
  })

  it('keeps numbers with an exponent whole, and the name of what differs before its value', () => {
    const named = (lr: string, smoothing: string) =>
      `conformer-transducer-large_librispeech960h_specaugment_lr=${lr}_bs=16_label-smoothing=${smoothing}_seed=1234/save`
    expect(
      shortenNames(
        ['1e-3', '1e-4', '1e-5'].map((lr) => named(lr, '0.1')),
        40,
      ),
    ).toEqual([
      'conformer-…lr=1e-3_…seed=1234/save',
      'conformer-…lr=1e-4_…seed=1234/save',
      'conformer-…lr=1e-5_…seed=1234/save',
    ])
    expect(shortenNames([named('3e-4', '0.1'), named('1E-04', '0.2')], 36)).toEqual([
      '…lr=3e-4_…smoothing=0.1_…save',
      '…lr=1E-04_…smoothing=0.2_…save',
    ])
  })

  it('tells runs of several projects apart', () => {
    const runs = ['asr', 'mt', 'tts'].flatMap((task) =>
      ['small', 'large'].flatMap((size) =>
        [1, 2].map(
          (seed) =>
            `${task}/experiments_of_the_whole_group/2026-11-28/${size}/with_a_long_name/seed_${seed}/checkpoints`,
        ),
      ),
    )
    const short = shortenNames(runs, 30)
    expect(new Set(short).size).toBe(runs.length)
    expect(short[1]).toBe('asr/…small/…seed_2/checkpoints')
  })

  it('never gives more than the width, whatever the characters', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 60 })),
        fc.integer({ min: 3, max: 50 }),
        (names, width) => {
          for (const short of shortenNames(names, width)) expect(displayWidth(short)).toBeLessThanOrEqual(width)
        },
      ),
    )
  })

  it('keeps names that differ by one number apart', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z/_]{0,60}$/),
        fc.stringMatching(/^[a-z/_]{0,60}$/),
        fc.integer({ min: 12, max: 40 }),
        (before, after, width) => {
          const names = ['0', '1', '2'].map((number) => before + number + after)
          expect(new Set(shortenNames(names, width)).size).toBe(3)
        },
      ),
    )
  })

  it('keeps what no other name has, though names part before it', () => {
    const names = Array.from(
      { length: 30 },
      (_, run) =>
        `conformer_transducer_large_lr=0.00${(run % 3) + 1}_warmup=${1000 * ((run % 5) + 1)}_dropout=0.${(run % 2) + 1}_seed=${run}_bs=32/results/save`,
    )
    for (const width of [18, 22, 30, 48]) {
      const short = shortenNames(names, width)
      expect(new Set(short).size).toBe(names.length)
      for (const [run, name] of short.entries()) expect(name).toContain(`seed=${run}_`)
    }
  })
})
