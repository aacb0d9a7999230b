/** What a scan costs does not grow with the layouts that are known. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { counting, fixtures, makeFolder, write } from './folders.js'

const many = 100

function make(name: (index: number) => string, files: Readonly<Record<string, string>>): string {
  const root = makeFolder()
  for (let index = 1; index <= many; index += 1) {
    mkdirSync(join(root, name(index)))
    write(join(root, name(index)), files)
  }
  return root
}

describe('a hundred checkpoints of one framework, asked about with all layouts', () => {
  it.each([
    [
      'the Trainer',
      make((index) => `checkpoint-${index}`, {
        'trainer_state.json': '{"global_step": 1, "epoch": 1, "log_history": []}',
        'model.safetensors': 'x',
        'optimizer.pt': 'x',
      }),
    ],
    ['SpeechBrain', make((index) => `CKPT+${index}`, { 'CKPT.yaml': 'WER: 1.5\n', 'model.ckpt': 'x' })],
  ])('list each folder once and read each meta once: %s', async (_, root) => {
    const { storage, counts } = counting(localStorage())
    const [run] = await findRuns(storage, root)
    expect(run?.checkpoints.length).toBe(many)
    expect(counts.list).toBe(many + 1)
    expect(counts.read).toBe(many)
    expect(counts.stat).toBe(0)
  })
})

describe('a run whose files must be looked into, asked about with all layouts', () => {
  it.each([
    // Each archive once; the pickles beside them are looked at as parts of a group that may be broken.
    ['stable_baselines3', 'logs', 'zip'],
    // Copies are told by the bytes, which are read from the file that is open.
    ['paddle', 'output', 'pdparams'],
    ['timm', '20240131-120000-tiny-8', 'tar'],
    ['xgboost', '', 'json'],
    ['torch_plain', 'checkpoints', 'pt'],
  ])('opens each file once: %s', async (framework, folder) => {
    const root = join(fixtures, 'frameworks', framework, 'run', folder)
    const { storage, counts } = counting(localStorage())
    const opened: string[] = []
    const watched = { ...storage, open: async (path: string) => (opened.push(path), storage.open(path)) }
    const [run] = await findRuns(watched, root)
    expect(run?.checkpoints.length).toBeGreaterThan(0)
    expect(opened.toSorted()).toEqual([...new Set(opened)].sort())
    const again = opened.filter((path) => path.endsWith('.json')).length
    expect(counts.read).toBeLessThanOrEqual(again + 2)
  })
})
