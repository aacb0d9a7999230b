/** Plan files are written by ckpt, and may come from anybody. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPlan, readPlans } from '../../../../src/core/runs/pruning/plan-file.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder } from '../../checkpoints/layouts/folders.js'

const storage = localStorage()
const planOf = (run: string) => ({ kind: 'ckpt prune plan', version: 1, run, created: 1, remove: [] })

function planFile(runs: readonly string[]): string {
  const path = join(makeFolder(), 'plan.json')
  writeFileSync(path, JSON.stringify({ kind: 'ckpt prune plans', version: 1, created: 1, runs: runs.map(planOf) }))
  return path
}

describe('the plans of many runs', () => {
  it.each(['/exp/../other', '/exp/a/', '/exp//a', '/exp/./a'])('are refused where one is for %s', async (run) => {
    await expect(readPlans(storage, planFile([run]), '/exp')).rejects.toMatchObject({ code: 'usage' })
    await expect(readPlans(storage, planFile([run]), null)).rejects.toMatchObject({ code: 'usage' })
  })

  it('are refused where a link on the way leads out of the folder', async () => {
    const folder = makeFolder()
    for (const name of ['exp', 'other', 'other/run', 'exp/run']) mkdirSync(join(folder, name))
    symlinkSync('../other', join(folder, 'exp', 'link'))
    const root = join(folder, 'exp')
    await expect(readPlans(storage, planFile([join(root, 'link', 'run')]), root)).rejects.toMatchObject({
      code: 'usage',
    })
    expect(await readPlans(storage, planFile([join(root, 'run')]), root)).toHaveLength(1)
  })

  it('may all lie below the root of the file system, or be gone', async () => {
    expect(await readPlans(storage, planFile(['/a', '/b/c']), '/')).toHaveLength(2)
  })

  it('are refused where a run comes twice', async () => {
    await expect(readPlans(storage, planFile(['/a', '/b', '/a']), null)).rejects.toThrow('"/a" comes twice')
  })
})

it('the plan of one run is refused where its path is not written out', async () => {
  const path = join(makeFolder(), 'plan.json')
  writeFileSync(path, JSON.stringify(planOf('/exp/../other')))
  await expect(readPlan(storage, path, null)).rejects.toThrow('"run" is not written out')
})
