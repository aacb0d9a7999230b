import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensorFlowWithTexts, readThrough } from '../../../../src/core/tensors/read/index.js'
import { fixtures, makeFolder } from '../layouts/folders.js'

describe("a byte that changed in TensorFlow's data", () => {
  it('is found by its checksum where every byte is read, and the others are whole', async () => {
    const [reason] = await reasonsOf(100)
    expect(reason).toMatch(/has the checksum [0-9a-f]{8}, and the index says [0-9a-f]{8}/)
  })

  it('is found in the texts too, the graph of the objects at the end of the file', async () => {
    const [reason] = await reasonsOf(1022)
    expect(reason).toMatch(/"_CHECKPOINTABLE_OBJECT_GRAPH" in ckpt-5\.data\S+ has the checksum/)
  })

  it('is none in several texts that TensorFlow wrote', async () => {
    const path = join(fixtures, '..', 'formats', 'tensorflow', 'objects.index')
    const file = await openTensorFlowWithTexts(localStorage(), path)
    const texts = file.tensors.filter(({ dtype }) => dtype === 'string')
    for (const text of texts) await readThrough(await file.dataOf(text))
    expect(texts.map(({ shape }) => shape)).toEqual([[], [2]])
    await file.close()
  })

  it('is found in the lengths of the texts, which have a checksum of their own', async () => {
    const [reason] = await reasonsOf(graph)
    expect(reason).toMatch(/has lengths with the checksum [0-9a-f]{8}, and [0-9a-f]{8} is written behind them/)
  })
})

/** Where the graph of the objects begins in the data, with its length. */
const graph = 264

/** What is found once a bit of the byte at `at` is turned in the data of one checkpoint of the run. */
async function reasonsOf(at: number): Promise<string[]> {
  const storage = localStorage()
  const run = join(makeFolder(), 'run')
  cpSync(join(fixtures, 'frameworks', 'tf_checkpoint', 'run'), run, { recursive: true })
  const path = join(run, 'ckpt-5.data-00000-of-00001')
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
  const { checkpoints } = await loadRun(storage, run)
  const graded = await checkHealth(storage, checkpoints, checkpoints, 'deep')
  const bad = graded.filter(({ health }) => health.grade !== 'whole')
  expect(bad.map(({ name, health }) => [name, health.grade])).toEqual([['ckpt-5', 'corrupt']])
  return bad.flatMap(({ health }) => health.findings.map(({ reason }) => reason))
}
