/** Folders of frameworks are not runs: Orbax's `todelete_subdir`, torchtune's `recipe_state`. */
import { cpSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

const storage = localStorage()

/** A run of which Orbax has moved the step 200 into that folder. */
function runWith(folder: string): string {
  const run = copyFixture('frameworks/orbax/run')
  mkdirSync(join(run, folder), { recursive: true })
  renameSync(join(run, '200'), join(run, folder, '200'))
  return run
}

const runsBelow = async (root: string): Promise<string[]> =>
  (await findRuns(storage, root)).map(({ path }) => relative(root, path))

it.each(['todelete', 'to_delete', 'deleted_steps', 'trash', 'gc', 'trash/steps'])(
  '%s is passed over',
  async (folder) => {
    const run = runWith(folder)
    expect(await runsBelow(run)).toEqual([''])
    expect((await loadRun(storage, dirname(run))).path).toBe(run)
  },
)

it.each(['old', 'old_steps', 'previous'])(
  '%s, with steps that come before those of the run, is passed over',
  async (folder) => {
    const run = copyFixture('frameworks/orbax/run')
    mkdirSync(join(run, folder))
    renameSync(join(run, '200'), join(run, folder, '50'))
    expect(await runsBelow(run)).toEqual([''])
  },
)

it('old is a run where it has a step that is there too, or one behind the newest', async () => {
  const both = copyFixture('frameworks/orbax/run')
  cpSync(join(both, '200'), join(both, 'old', '200'), { recursive: true })
  expect(await runsBelow(both)).toEqual(['', 'old'])
  const behind = copyFixture('frameworks/orbax/run')
  cpSync(join(behind, '200'), join(behind, 'old', '9000'), { recursive: true })
  expect(await runsBelow(behind)).toEqual(['', 'old'])
})

it('is looked into where somebody names it', async () => {
  const { checkpoints } = await loadRun(storage, join(runWith('todelete'), 'todelete'))
  expect(checkpoints.map(({ name }) => name)).toEqual(['200'])
})

it.each(['best', 'finetune', 'cabin'])('%s is a run of its own', async (folder) => {
  expect(await runsBelow(runWith(folder))).toEqual(['', folder])
})

it('is a run too where more lies in it than steps, or where it lies in no run', async () => {
  const more = runWith('deleted')
  mkdirSync(join(more, 'deleted', 'metadata'))
  expect(await runsBelow(more)).toEqual(['', 'deleted'])
  const alone = copyFixture('frameworks/orbax/run')
  renameSync(alone, join(dirname(alone), 'trash'))
  expect(await runsBelow(dirname(alone))).toEqual(['trash'])
})

it("torchtune's recipe_state is passed over, where all checkpoints have their optimizer's state", async () => {
  const run = copyFixture('frameworks/torchtune/run')
  expect(await runsBelow(run)).toEqual([''])
})

it("the folder of a torchtitan replica's data is passed over", async () => {
  const run = join(copyFixture('frameworks/torchtitan/run'), 'checkpoint')
  cpSync(join(run, 'step-10'), join(run, 'ft-replicat-0', 'step-10'), { recursive: true })
  expect(await runsBelow(run)).toEqual([''])
  expect((await loadRun(storage, join(run, 'ft-replicat-0'))).checkpoints.map(({ name }) => name)).toEqual(['step-10'])
})
