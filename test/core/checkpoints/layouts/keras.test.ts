/** Weights that Keras wrote in shards (test/fixtures/formats/write_hdf5.py): the index and all that it names are one. */
import { copyFileSync, cpSync, readFileSync, renameSync, rmSync, truncateSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { byRecency } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'

const storage = localStorage()
const real = fileURLToPath(new URL('../../../fixtures/formats/hdf5/', import.meta.url))

/** The files that `save_weights('<base>.weights.json', max_shard_size=…)` makes. */
function saved(base: string): Record<string, string | Uint8Array> {
  const index = readFileSync(join(real, 'sharded.weights.json'), 'utf8')
  const shards = ['_00000', '_00001'].map((part) => [
    `${base}${part}.weights.h5`,
    readFileSync(join(real, `sharded${part}.weights.h5`)),
  ])
  return {
    [`${base}.weights.json`]: index.replaceAll('sharded_', `${base}_`),
    ...(Object.fromEntries(shards) as Record<string, Uint8Array>),
  }
}

async function checkpointsIn(root: string): Promise<readonly Checkpoint[]> {
  return (await findRuns(storage, root)).flatMap(({ checkpoints }) => checkpoints)
}

async function gradesIn(root: string): Promise<Record<string, string>> {
  const found = await checkpointsIn(root)
  const graded = await checkHealth(storage, found, found, 'deep')
  return Object.fromEntries(graded.map(({ name, health }) => [name, health.grade]))
}

describe("Keras' weights in shards", () => {
  it('are one checkpoint under the name of the index, with the epoch of that name', async () => {
    const root = write(makeFolder(), { ...saved('ep-01'), ...saved('ep-02'), ...saved('final') })
    const found = await checkpointsIn(root)
    expect(found.map(({ name, epoch, members }) => [name, epoch, members.length])).toEqual([
      ['ep-01.weights.json', 1, 3],
      ['ep-02.weights.json', 2, 3],
      ['final.weights.json', null, 3],
    ])
    expect(await gradesIn(root)).toEqual({
      'ep-01.weights.json': 'whole',
      'ep-02.weights.json': 'whole',
      'final.weights.json': 'whole',
    })
  })

  it('are damaged where a shard is cut, and partial where one is gone', async () => {
    const root = write(makeFolder(), { ...saved('ep-01'), ...saved('ep-02'), ...saved('ep-03') })
    truncateSync(join(root, 'ep-01_00001.weights.h5'), 900)
    rmSync(join(root, 'ep-02_00000.weights.h5'))
    expect(await gradesIn(root)).toEqual({
      'ep-01.weights.json': 'corrupt',
      'ep-02.weights.json': 'partial',
      'ep-03.weights.json': 'whole',
    })
  })

  it('are one unfinished checkpoint while the index is not written: none is an epoch', async () => {
    const root = write(makeFolder(), { ...saved('ep-01'), ...saved('ep-02') })
    rmSync(join(root, 'ep-02.weights.json'))
    const found = await checkpointsIn(root)
    expect(found.map(({ name, epoch, members }) => [name, epoch, members.length])).toEqual([
      ['ep-01.weights.json', 1, 3],
      ['ep-02_00000.weights.h5', 2, 2],
    ])
    expect(await gradesIn(root)).toEqual({ 'ep-01.weights.json': 'whole', 'ep-02_00000.weights.h5': 'unfinished' })
  })

  it.each([
    ['is written', 900],
    ['is begun', 0],
  ])('are one unfinished checkpoint while the second %s', async (_, length) => {
    const root = write(makeFolder(), saved('m'))
    rmSync(join(root, 'm.weights.json'))
    truncateSync(join(root, 'm_00001.weights.h5'), length)
    expect(await gradesIn(root)).toEqual({ 'm_00000.weights.h5': 'unfinished' })
  })

  it('are unfinished when only the first is there beside what was saved before', async () => {
    const root = write(makeFolder(), { ...saved('ep-01'), ...saved('ep-02') })
    for (const name of ['ep-02.weights.json', 'ep-02_00001.weights.h5']) rmSync(join(root, name))
    expect(await gradesIn(root)).toEqual({ 'ep-01.weights.json': 'whole', 'ep-02_00000.weights.h5': 'unfinished' })
  })

  it('are one with an index that was renamed, or copied to a second name', async () => {
    const root = write(makeFolder(), { ...saved('ep-01'), ...saved('ep-02') })
    renameSync(join(root, 'ep-01.weights.json'), join(root, 'best.weights.json'))
    copyFileSync(join(root, 'ep-02.weights.json'), join(root, 'final.weights.json'))
    const found = await checkpointsIn(root)
    expect(found.map(({ name, epoch, members }) => [name, epoch, members.length])).toEqual([
      ['best.weights.json', 1, 3],
      ['ep-02.weights.json', 2, 4],
    ])
    expect(await gradesIn(root)).toEqual({ 'best.weights.json': 'whole', 'ep-02.weights.json': 'whole' })
  })

  it('are not opened for that where there are too many, or none is the first: they are epochs', async () => {
    const shard = readFileSync(join(real, 'sharded_00000.weights.h5'))
    const numbered = (from: number, count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`m_${String(from + at).padStart(5, '0')}.weights.h5`, shard]),
      )
    for (const files of [numbered(0, 65), numbered(1, 3)]) {
      const found = await checkpointsIn(write(makeFolder(), files))
      expect(found.map(({ kind }) => kind)).toEqual(Object.keys(files).map(() => 'file'))
    }
  })

  it('are no shards without an index: a number of five digits is an epoch, also of what is cut', async () => {
    const shard = readFileSync(join(real, 'sharded_00000.weights.h5'))
    const files = {
      'm_00007.weights.h5': shard,
      'm_00008.weights.h5': shard,
      'm_00009.weights.h5': shard.subarray(0, 900),
    }
    const found = await checkpointsIn(write(makeFolder(), { ...files, ...saved('other') }))
    expect(found.map(({ name, epoch, kind }) => [name, epoch, kind])).toEqual([
      ['m_00007.weights.h5', 7, 'file'],
      ['m_00008.weights.h5', 8, 'file'],
      ['m_00009.weights.h5', 9, 'file'],
      ['other.weights.json', null, 'group'],
    ])
  })
})

function variant(name: string): string {
  return join(fixtures, 'variants', name, 'run')
}

describe("Keras's files", () => {
  it('in two formats begin otherwise, and both are whole; a copy is one whatever the time in it says', async () => {
    const root = variant('keras-kept')
    expect(new Set(Object.values(await gradesIn(root)))).toEqual(new Set(['whole']))
    const found = await checkpointsIn(root)
    expect(found.find(({ name }) => name === 'best_model.keras')?.sameAs).toBe('model_4.keras')
  })

  it('without an epoch are in the order of the times in them, whatever the files have', async () => {
    const root = makeFolder()
    for (const [name, time] of [
      ['last.keras', 1],
      ['best.keras', 2],
    ] as const) {
      copyFileSync(join(variant('keras-last'), name), join(root, name))
      utimesSync(join(root, name), time, time)
    }
    expect(byRecency(await checkpointsIn(root)).ordered.map(({ name }) => name)).toEqual(['last.keras', 'best.keras'])
  })

  it('from within an epoch have no metrics of its end', async () => {
    const found = await checkpointsIn(variant('keras-batches'))
    expect(found.map(({ meta }) => meta.get('loss'))).toEqual([undefined, undefined])
  })
})

describe('two numbers in a name of Keras', () => {
  async function epochsOf(names: readonly string[]): Promise<readonly (number | null)[]> {
    const root = makeFolder()
    for (const name of names) copyFileSync(join(variant('keras-last'), 'last.keras'), join(root, name))
    const found = await checkpointsIn(root)
    expect(found.every(({ meta }) => !meta.has('epoch'))).toBe(true)
    return names.map((name) => found.find((one) => one.name === name)?.epoch ?? null)
  }

  it.each([
    [
      'an epoch and a batch that begins anew',
      [1, 1, 2, 2],
      ['b1_004.keras', 'b1_008.keras', 'b2_004.keras', 'b2_008.keras'],
    ],
    ['the same before a loss', [1, 1, 2], ['run-b1_004-0.52.keras', 'run-b1_008-0.41.keras', 'run-b2_004-0.30.keras']],
    ['a model and its epoch', [4, 5, 6], ['model1_004.keras', 'model1_005.keras', 'model1_006.keras']],
    [
      'a model and its epoch, and the next model',
      [1, 2, 3],
      ['model1_001.keras', 'model1_002.keras', 'model2_003.keras'],
    ],
    ['one save alone', [4], ['resnet50_004.keras']],
    ['metrics', [3, 4], ['acc0.25_03.keras', 'acc0.31_04.keras']],
  ])('are %s', async (_, epochs, names) => {
    expect(await epochsOf(names)).toEqual(epochs)
  })
})

describe("Keras's BackupAndRestore", () => {
  it('is a run where there is no other, and stays', async () => {
    const [run] = await findRuns(storage, variant('keras-backup'))
    expect(run?.checkpoints.map(({ name, neededFor }) => [name, neededFor])).toEqual([
      ['latest.weights.h5', 'what an interrupted fit() goes on from'],
    ])
  })

  it('is none beside others, in its own folder or below', async () => {
    const root = makeFolder()
    cpSync(variant('keras-backup'), root, { recursive: true })
    cpSync(variant('keras-last'), join(root, 'kept'), { recursive: true })
    expect((await findRuns(storage, root)).map(({ path }) => path)).toEqual([join(root, 'kept')])
    expect((await loadRun(storage, root)).path).toBe(join(root, 'kept'))
    cpSync(variant('keras-last'), join(root, 'backup'), { recursive: true })
    const found = await loadRun(storage, join(root, 'backup'))
    expect(found.checkpoints.map(({ name }) => name)).toEqual(['best.keras', 'last.keras'])
  })
})
