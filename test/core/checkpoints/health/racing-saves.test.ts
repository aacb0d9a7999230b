import { describe, expect, it } from 'vitest'
import { checkHealth, checkStructure } from '../../../../src/core/checkpoints/health/index.js'
import { findPartSaves } from '../../../../src/core/checkpoints/health/racing-saves.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { firstWhole } from '../../../../src/core/runs/recovering/pass-over-damaged.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { checkpoint } from '../../checkpoints.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { makeFolder, write } from '../layouts/folders.js'

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

describe('the first save of a run by two nodes at once', () => {
  it('is gone on from where it has all files, whichever folder is the newer', async () => {
    const storage = localStorage()
    const model = makeZip([{ name: 'm/data.pkl', data: Buffer.from('80027d2e', 'hex') }], { zip64: true })
    const stamp = 'CKPT+2024-04-14+04-30-22'
    for (const [part, times] of [
      ['00', ['10.75', '10.25']],
      ['01', ['10.25', '10.75']],
    ] as const) {
      const other = part === '00' ? '01' : '00'
      const meta = (time: string): string => `WER: 31.5\nepoch: 1\nend-of-epoch: true\nunixtime: ${time}\n`
      const root = write(makeFolder(), {
        [`${stamp}+00/CKPT.yaml`]: meta(times[0]),
        [`${stamp}+01/CKPT.yaml`]: meta(times[1]),
        [`${stamp}+${part}/model.ckpt`]: model,
        ...Object.fromEntries(['model', 'optimizer', 'brain'].map((key) => [`${stamp}+${other}/${key}.ckpt`, model])),
      })
      const checkpoints = checkStructure((await loadRun(storage, root)).checkpoints)
      const newestFirst = checkpoints.toSorted((a, b) => (b.unixtime ?? 0) - (a.unixtime ?? 0))
      const found = await firstWhole(newestFirst, async (one) => {
        const [graded] = await checkHealth(storage, checkpoints, [one], 'quick')
        return graded?.health.findings ?? []
      })
      expect(found?.checkpoint.name).toBe(`${stamp}+${other}`)
      expect(found?.passedOver.map(({ name }) => name)).toEqual([`${stamp}+${part}`])
    }
  })
})
