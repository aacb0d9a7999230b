import { describe, expect, it } from 'vitest'
import { findPartSaves } from '../../../../src/core/checkpoints/health/racing-saves.js'
import { checkpoint } from '../../checkpoints.js'

function saved(name: string, time: number, keys: readonly string[], meta: Record<string, number> = { WER: 3 }) {
  const files = keys.map((key) => ({ key, path: `/run/${name}/${key}.ckpt`, size: 1, role: 'other' as const }))
  return checkpoint(name, { meta: { ...meta, unixtime: time }, files })
}

const all = ['brain', 'model', 'optimizer']

describe('a save by two processes at once', () => {
  it('leaves one with a part of it, which is reported with what it lacks', () => {
    const found = findPartSaves([saved('a+00', 10, all), saved('a+01', 10.4, ['model'])])
    expect([...found]).toEqual([
      [
        '/run/a+01',
        [
          {
            grade: 'partial',
            reason: 'the same save as a+00, by another process, with only a part of it: no brain, optimizer',
          },
        ],
      ],
    ])
  })

  it.each([
    ['a later save', saved('b', 13, ['model'])],
    ['other values', saved('b', 10, ['model'], { WER: 4 })],
    ['files of its own', saved('b', 10, ['lm'])],
    ['all the files', saved('b', 10, all)],
  ])('is not seen in %s', (_, other) => {
    expect(findPartSaves([saved('a', 10, all), other]).size).toBe(0)
  })

  it('is not seen where the metas say nothing', () => {
    expect(findPartSaves([saved('a', 10, all, {}), saved('b', 10, ['model'], {})]).size).toBe(0)
  })
})
