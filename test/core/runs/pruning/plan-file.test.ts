/** Plan files are written by ckpt, and may come from anybody. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderOfPlans, readPlanFile, refuseOtherRuns } from '../../../../src/core/runs/pruning/plan-file.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder } from '../../checkpoints/layouts/folders.js'

const storage = localStorage()
const planOf = (run: string) => ({ kind: 'ckpt prune plan', version: 1, run, created: 1, remove: [] })

function planFile(runs: readonly string[]): string {
  const path = join(makeFolder(), 'plan.json')
  writeFileSync(path, JSON.stringify({ kind: 'ckpt prune plans', version: 1, created: 1, runs: runs.map(planOf) }))
  return path
}

async function plansBelow(path: string, root: string) {
  const file = await readPlanFile(storage, path)
  await refuseOtherRuns(storage, file, root)
  return file.plans
}

describe('the plans of many runs', () => {
  it.each(['/exp/../other', '/exp/a/', '/exp//a', '/exp/./a'])('are refused where one is for %s', async (run) => {
    await expect(readPlanFile(storage, planFile([run]))).rejects.toMatchObject({ code: 'usage' })
  })

  it('are refused where a link on the way leads out of the folder', async () => {
    const folder = makeFolder()
    for (const name of ['exp', 'other', 'other/run', 'exp/run']) mkdirSync(join(folder, name))
    symlinkSync('../other', join(folder, 'exp', 'link'))
    const root = join(folder, 'exp')
    await expect(plansBelow(planFile([join(root, 'link', 'run')]), root)).rejects.toMatchObject({
      code: 'usage',
    })
    expect(await plansBelow(planFile([join(root, 'run')]), root)).toHaveLength(1)
  })

  it('may all lie below the root of the file system, or be gone', async () => {
    expect(await plansBelow(planFile(['/a', '/b/c']), '/')).toHaveLength(2)
  })

  it('lie below the nearest folder above all of them', async () => {
    const folderOf = async (runs: string[]) => folderOfPlans(await readPlanFile(storage, planFile(runs)))
    expect(await folderOf(['/exp/a/save', '/exp/b'])).toBe('/exp')
    expect(await folderOf(['/exp/a', '/exp/a/b'])).toBe('/exp/a')
    expect(await folderOf(['/exp', '/experiments'])).toBe('/')
    expect(await folderOf(['/exp/a'])).toBe('/exp/a')
  })

  it('are refused where a run comes twice', async () => {
    await expect(readPlanFile(storage, planFile(['/a', '/b', '/a']))).rejects.toThrow('"/a" comes twice')
  })
})

it('the plan of one run is refused where its path is not written out', async () => {
  const path = join(makeFolder(), 'plan.json')
  writeFileSync(path, JSON.stringify(planOf('/exp/../other')))
  await expect(readPlanFile(storage, path)).rejects.toThrow('"run" is not written out')
})
