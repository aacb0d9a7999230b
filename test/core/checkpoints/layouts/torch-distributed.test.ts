/** What scripts make of torch.distributed.checkpoint: names of their own, and parts for Hugging Face without an index. */
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'

const shards = {
  'shard-00001-model-00001-of-00001.safetensors': 'x',
  'shard-00002-model-00001-of-00001.safetensors': 'x',
}

function run(folders: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const root = makeFolder()
  for (const [name, files] of Object.entries(folders)) {
    write(root, Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}/${file}`, content])))
  }
  return root
}

async function checkpointsOf(root: string) {
  const [found] = await findRuns(localStorage(), root)
  return found?.checkpoints ?? []
}

describe('what HuggingFaceStorageWriter wrote and nobody consolidated', () => {
  it('is a checkpoint with the parts of all ranks, to load and not to resume from', async () => {
    const found = await checkpointsOf(run({ 'step-3': shards, 'step-12': shards }))
    expect(found.map(({ name, layout, step, resumable }) => [name, layout, step, resumable])).toEqual([
      ['step-3', 'torch-distributed', 3, false],
      ['step-12', 'torch-distributed', 12, false],
    ])
    expect(found[0]?.files.map(({ role }) => role)).toEqual(['weights', 'weights'])
  })

  it('is none by the model of a hub, whose parts have other names', async () => {
    expect(await checkpointsOf(run({ hub: { 'model-00001-of-00002.safetensors': 'x', 'config.json': '{}' } }))).toEqual(
      [],
    )
  })
})

it.each([['checkpoint_'], ['ckpt-'], ['save']])(
  'those that are numbered, one cannot say by what, are in that order whatever their times: %s',
  async (prefix) => {
    const files = { '.metadata': 'x', '__0_0.distcp': 'x' }
    const folders = [10, 9, 2].map((number) => [`${prefix}${number}`, files] as const)
    const found = await checkpointsOf(run(Object.fromEntries(folders)))
    expect(found.map(({ name, step }) => [name, step])).toEqual(
      [2, 9, 10].map((number) => [`${prefix}${number}`, null]),
    )
  },
)
