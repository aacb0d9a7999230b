/** `ckpt runs` over a lab's disk, `ckpt list` and `ckpt prune` in runs of very many checkpoints. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ckpt, compare } from './harness.mjs'
import { makeLab, makeOthers } from './lab.mjs'
import { makeRun } from './runs.mjs'

const bare = join(dirname(fileURLToPath(import.meta.url)), 'bare-walk.mjs')
const rounds = 5

/** 500 runs, 100,000 checkpoints, and a tree of other things. */
export async function benchRuns(folder) {
  const lab = await makeLab(folder, 500, 200)
  const title = '500 runs, 100,000 checkpoints of four frameworks'
  const read = [
    { name: 'bare script that reads the same', args: [bare, 'read', lab] },
    { name: 'ckpt runs --no-cache', args: ckpt('runs', lab, '--no-cache'), most: 2.5 },
  ]
  const remembered = [
    { name: 'bare script that stats the same', args: [bare, 'stat', lab] },
    { name: 'ckpt runs, remembering', args: ckpt('runs', lab), most: 1.5 },
  ]
  const others = await makeOthers(folder, 200_000)
  const found = [
    { name: 'find ROOT', command: ['sh', ['-c', 'find "$1" >/dev/null', 'sh', others]] },
    { name: 'ckpt runs', args: ckpt('runs', others), most: 2, statuses: [0, 3] },
  ]
  return allHold([
    () => compare(folder, `${title} (under 500 MB)`, rounds, read, 500),
    () => compare(folder, `${title}, warm scan cache`, rounds, remembered, 500),
    () => compare(folder, '200,000 files that are not checkpoints', rounds, found, 500),
  ])
}

/** 10,000 checkpoints, and ten times as many. */
export async function benchMany(folder) {
  const few = await makeRun(folder, 10_000, 'plain', join(folder, 'few'))
  const many = await makeRun(folder, 100_000, 'plain', join(folder, 'many'))
  const listed = [
    { name: 'ckpt list --limit 20, 10,000', args: ckpt('list', few, '--limit', '20') },
    { name: 'ckpt list --limit 20, 100,000', args: ckpt('list', many, '--limit', '20'), most: 12 },
  ]
  const plan = (run, verify) => ckpt('prune', run, '--keep', '10', '--verify', verify, '--dry-run')
  const planned = [
    { name: 'bare script: lists, stats, reads', args: [bare, 'prune', few] },
    { name: 'ckpt prune --verify none --dry-run', args: plan(few, 'none'), most: 3 },
  ]
  const inspected = [
    { name: 'bare script: heads and ends too', args: [bare, 'inspect', few] },
    { name: 'ckpt prune --dry-run', args: plan(few, 'quick'), most: 3 },
  ]
  return allHold([
    () => compare(folder, '10,000 and 100,000 checkpoints (under 600 MB)', 3, listed, 600),
    () => compare(folder, '10,000 checkpoints (under 300 MB)', rounds, planned, 300),
    () => compare(folder, '10,000 checkpoints, health (under 300 MB)', rounds, inspected, 300),
    () => compare(folder, '10,000 checkpoints go (under 300 MB)', 3, removals(folder, few), 300),
    () => compare(folder, '100,000 checkpoints go (under 700 MB)', 1, removals(folder, many), 700),
  ])
}

/** Each removes a copy, which is made again; what ckpt keeps beside it, its journal among that, begins anew too. */
function removals(folder, run) {
  const copy = join(folder, 'copy')
  const after = () => {
    for (const path of [copy, join(folder, '.ckpt', 'copy')]) rmSync(path, { recursive: true, force: true })
    execFileSync('cp', ['-r', '--preserve=timestamps', run, copy])
  }
  after()
  const prune = ['--keep', '1', '--verify', 'none', '--yes', '--quiet']
  return [
    { name: 'rm -rf', command: ['rm', ['-rf', copy]], after },
    { name: 'ckpt prune --yes', args: ckpt('prune', copy, ...prune), most: 1.6, after },
  ]
}

async function allHold(parts) {
  let held = true
  for (const part of parts) held = (await part()) && held
  return held
}
