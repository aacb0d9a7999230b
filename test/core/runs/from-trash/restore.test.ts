/** What comes back from the trash has the times that it had, so that it takes the place that it had. */
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as yaml from 'yaml'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTrash, stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { measure, useOwnLayouts } from '../../../../src/core/checkpoints/layouts/index.js'
import { parseLayouts } from '../../../../src/core/checkpoints/layouts/own/parse-layouts.js'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import { byRecency } from '../../../../src/core/choosing/selection/index.js'
import { YamlText } from '../../../../src/core/formats/yaml/config-yaml.js'
import { carryOut, intentOf, openRun, planPrune, restoreAndName } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { write } from '../../checkpoints/layouts/folders.js'

const storage = localStorage()
const wait = () => Promise.resolve()
const now = 1_900_000_000
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-restore-'))
})
afterEach(() => {
  useOwnLayouts([])
  rmSync(folder, { recursive: true, force: true })
})

/** Three saves, an hour between two; the path of each file is `names` with the step in place of `N`. */
function makeRun(layout: string, names: readonly string[]): string {
  const text = new YamlText(`layouts: [${layout}]`, '/exp/ckpt.yaml', yaml)
  const [pair] = text.root === null ? [] : text.pairsOf(text.root, 'the file', '')
  useOwnLayouts(parseLayouts(text, pair?.value ?? null, []))
  const run = join(folder, 'run')
  for (const step of [1, 2, 3]) {
    const files = names.map((name) => name.replace('N', String(step)))
    write(run, Object.fromEntries(files.map((file) => [file, file.endsWith('.json') ? '{"loss": 1}' : 'x'])))
    const saved = now - 86_400 + step * 3600
    for (const file of files) utimesSync(join(run, file), saved, saved)
    for (const file of files.filter((one) => one.includes('/'))) utimesSync(join(run, file, '..'), saved, saved)
  }
  return run
}

function timesIn(run: string): ReadonlyMap<string, number> {
  const names = readdirSync(run, { recursive: true, encoding: 'utf8' })
  return new Map(names.map((name) => [name, statSync(join(run, name)).mtimeMs]))
}

it.each([
  ['a file', '{name: ours, checkpoint: "step-{step:int}.pt"}', ['step-N.pt'], 'step-1.pt'],
  [
    'a folder',
    '{name: ours, checkpoint: "step-{step:int}/", complete: ".done"}',
    ['step-N/model.pt', 'step-N/.done'],
    'step-1',
  ],
  [
    'several files',
    '{name: ours, checkpoint: "step-{step:int}.pt", members: ["{checkpoint}.opt"], meta: "{checkpoint}.json", complete: ".done"}',
    ['step-N.pt', 'step-N.pt.opt', 'step-N.pt.json', 'step-N.pt.done'],
    'step-1.pt',
  ],
])('%s of an own layout stays the older one of one training', async (_, layout, names, oldest) => {
  const run = makeRun(layout, names)
  const before = timesIn(run)
  const opened = await openRun(storage, run)
  const request = { query: { orders: [], where: [await parseExpression('step < 3')] }, keep: 0, toTrash: true }
  const plan = await planPrune(storage, opened, request, { now, wait, utcOffset: () => 0 })
  await carryOut(storage, opened, intentOf(plan).going, { now, wait, trash: true })
  const state = await stateFolderOf(storage, run)
  const entry = (await readTrash(storage, state)).entries.find(({ name }) => name === oldest)
  if (entry === undefined) throw new Error(`${oldest} is not in the trash`)
  await restoreAndName(storage, run, state, entry, { wait })

  for (const [name, time] of timesIn(run)) expect([name, time]).toEqual([name, before.get(name)])
  const { checkpoints } = await openRun(storage, run)
  const { ordered, trainings } = byRecency(await measure(storage, checkpoints))
  expect([ordered.map(({ step }) => step), trainings.length]).toEqual([[3, 1], 1])
})
