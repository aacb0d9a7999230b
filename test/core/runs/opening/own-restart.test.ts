import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eachRun, openRuns, searchRuns } from '../../../../src/core/runs/index.js'
import { openRunToGoOn } from '../../../../src/core/runs/opening/run-to-go-on.js'
import { localStorage } from '../../../../src/core/storage/local.js'

const variants = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'runs', 'variants')
const storage = localStorage()
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-restart-'))
  cpSync(join(variants, 'keras-backup', 'run'), join(root, 'killed'), { recursive: true })
  cpSync(join(variants, 'keras-last', 'run'), join(root, 'other', 'kept'), { recursive: true })
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

it("what a killed fit() goes on from is a run in every list, whatever other jobs' runs lie beside it", async () => {
  const walked: string[] = []
  for await (const { run } of eachRun(storage, root)) walked.push(run.path)
  const both = [join(root, 'killed', 'backup'), join(root, 'other', 'kept')]
  expect(walked.sort()).toEqual(both)
  expect((await searchRuns(storage, root)).runs.map(({ path }) => path)).toEqual(both)
  expect((await openRuns(storage, root)).map(({ path }) => path)).toEqual(both)
})

it('beside the checkpoints of its own job it is none in any list', async () => {
  cpSync(join(variants, '..', 'frameworks', 'keras', 'run'), join(root, 'job'), { recursive: true })
  // A folder between the two by its name, and without checkpoints.
  mkdirSync(join(root, 'job', 'charts'))
  rmSync(join(root, 'other'), { recursive: true })
  const both = [join(root, 'job', 'ckpts'), join(root, 'killed', 'backup')]
  expect((await searchRuns(storage, root)).runs.map(({ path }) => path)).toEqual(both)
  const walked: string[] = []
  for await (const { run } of eachRun(storage, root)) walked.push(run.path)
  expect(walked.sort()).toEqual(both)
})

it('a job that goes on passes it over', async () => {
  const { run } = await openRunToGoOn(storage, root)
  expect(run.path).toBe(join(root, 'other', 'kept'))
})
