/** Of what a script saved beside its model only the values at the top are facts: nothing else is read for them. */
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../../src/core/storage/local.js'
import type { ReadHandle, Storage } from '../../../../../src/core/storage/storage.js'
import { makeFolder, write } from '../folders.js'
import { dict, float, tensor, torchFile } from '../lightning-files.js'

const weight = tensor(...new Array<number>(10_000).fill(1))

/** As torch's Adam has it: of each parameter how often it was moved, in a tensor of its own, and two averages. */
function saved(parameters: number): Uint8Array {
  const names = Array.from({ length: parameters }, (_, index) => `layer${index}.weight`)
  const state = dict(Object.fromEntries(names.map((_, index) => [index, dict({ step: tensor(7), exp_avg: weight })])))
  const model = dict(Object.fromEntries(names.map((name) => [name, weight])))
  const optimizer = dict({ state, param_groups: [dict({ lr: float(0.5) })] })
  return torchFile(
    dict({ model, optimizer, history: [1, 2], epoch: 3, score: tensor(0.5), metrics: dict({ WER: 12 }) }),
  )
}

/** Counts the reads of files that were opened. */
function counting(inner: Storage): { readonly storage: Storage; readonly count: () => number } {
  let reads = 0
  const open = async (path: string): Promise<ReadHandle> => {
    const handle = await inner.open(path)
    return {
      path,
      size: handle.size,
      read: async (into, position) => ((reads += 1), handle.read(into, position)),
      stat: async () => handle.stat(),
      close: async () => handle.close(),
    }
  }
  return { storage: { ...inner, open }, count: () => reads }
}

describe('a file of torch.save', () => {
  it('tells the values at its top, and of its metrics', async () => {
    const root = write(makeFolder(), { 'model_3.pt': saved(2) })
    const [run] = await findRuns(localStorage(), root)
    const facts = [...(run?.checkpoints[0]?.meta ?? [])].filter(([key]) => !key.startsWith('#'))
    expect(Object.fromEntries(facts)).toEqual({ epoch: 3, score: 0.5, WER: 12 })
  })

  it('is read as often, however many parameters its optimizer has moved', async () => {
    const root = write(makeFolder(), { 'model_3.pt': saved(40) })
    const { storage, count } = counting(localStorage())
    const [run] = await findRuns(storage, root)
    expect(run?.checkpoints.map(({ epoch }) => epoch)).toEqual([3])
    expect(count()).toBeLessThan(12)
  })
})
