/** What a served report reads anew, and what it finds, as runs come, change and go. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveReport } from '../../../src/cli/watching/live-report.js'
import type { Run } from '../../../src/core/checkpoint.js'
import type { EarlierWalk } from '../../../src/core/checkpoints/layouts/index.js'
import { DiskUses, openRun, openRuns, reportRun } from '../../../src/core/runs/index.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { RecordedReads } from '../../../src/core/storage/recorded-reads.js'
import type { ReportedRun, ReportView } from '../../../src/render/report/document.js'

let root: string
/** Files and folders within runs that a search for runs asked for. */
let read: string[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-live-'))
  for (const run of ['a', 'group/b', 'group/c']) save(run, 1)
  read = []
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}

function save(run: string, epoch: number): void {
  write(`${run}/save/CKPT+${epoch}/CKPT.yaml`, `unixtime: ${1.7e9 + epoch}\nloss: ${epoch}\n`)
  write(`${run}/save/CKPT+${epoch}/model.ckpt`, 'weights')
}

async function open(earlier?: EarlierWalk) {
  const reads = new RecordedReads(localStorage())
  const runs = await openRuns(reads.storage, root, { earlier })
  read.push(...[...reads.paths].filter((path) => path.includes('CKPT+')))
  return { runs, read: reads.paths }
}

async function gather(runs: readonly Run[], known: ReadonlyMap<string, ReportedRun> = new Map()): Promise<ReportView> {
  const storage = localStorage()
  const request = {
    verify: 'none',
    policy: null,
    now: 1.8e9,
    utcOffset: () => 0,
    uses: new DiskUses(storage),
    stateDirectory: undefined,
  } as const
  const told: ReportedRun[] = []
  for (const run of runs) {
    told.push(known.get(run.path) ?? { report: await reportRun(storage, run, request), policy: null })
  }
  return { version: '', made: 0, root, axis: 'time', verify: 'none', runs: told, warnings: [] }
}

async function liveReport(): Promise<LiveReport> {
  const opened = await open()
  const storage = localStorage()
  const reopen = async (path: string) => openRun(storage, path).catch(() => null)
  const { signal } = new AbortController()
  const live = new LiveReport(await gather(opened.runs), opened, { storage, open, reopen, gather, signal })
  await live.refresh()
  read = []
  return live
}

/** The checkpoints that are told by now, by run. */
async function told(live: LiveReport): Promise<Record<string, string[]>> {
  await live.refresh()
  const { runs } = await live.fresh()
  return Object.fromEntries(
    runs.map(({ report: { run } }) => [
      run.path.slice(root.length + 1),
      run.checkpoints.map(({ name }) => name).sort(),
    ]),
  )
}

/** Between two looks there is a pause, as long as the one before took. */
async function willTell(live: LiveReport, expected: Record<string, string[]>): Promise<void> {
  await vi.waitFor(async () => expect(await told(live)).toEqual(expected), { timeout: 20_000 })
}

const atFirst = { 'a/save': ['CKPT+1'], 'group/b/save': ['CKPT+1'], 'group/c/save': ['CKPT+1'] }

describe('a served report', () => {
  it('finds a run that comes, at its place, and reads none of the others for it', async () => {
    const live = await liveReport()
    save('group/bb/deep', 1)
    const now = await told(live)
    expect(now).toEqual({ ...atFirst, 'group/bb/deep/save': ['CKPT+1'] })
    expect(Object.keys(now)).toEqual(['a/save', 'group/b/save', 'group/bb/deep/save', 'group/c/save'])
    expect(read.length).toBeGreaterThan(0)
    expect(read.filter((path) => !path.startsWith(join(root, 'group/bb')))).toEqual([])
  })

  it('goes on to find runs where one has just come', async () => {
    const live = await liveReport()
    save('new/x', 1)
    await told(live)
    save('new/y', 1)
    save('new/x', 2)
    await willTell(live, { ...atFirst, 'new/x/save': ['CKPT+1', 'CKPT+2'], 'new/y/save': ['CKPT+1'] })
  })

  it('finds checkpoints in a folder that had none', async () => {
    mkdirSync(join(root, 'empty', 'save'), { recursive: true })
    const live = await liveReport()
    save('empty', 1)
    await willTell(live, { ...atFirst, 'empty/save': ['CKPT+1'] })
  })

  it('leaves out what a .ckptignore that comes leaves out, whatever has changed', async () => {
    const live = await liveReport()
    save('group/d', 1)
    write('group/.ckptignore', 'b\nd\n')
    const others = { 'a/save': ['CKPT+1'], 'group/c/save': ['CKPT+1'] }
    await willTell(live, others)
    write('group/.ckptignore', 'd\n')
    await willTell(live, { ...others, 'group/b/save': ['CKPT+1'] })
    rmSync(join(root, 'group/.ckptignore'))
    await willTell(live, { ...others, 'group/b/save': ['CKPT+1'], 'group/d/save': ['CKPT+1'] })
  })

  it('tells no more of runs that are gone, and of what has come in their place', async () => {
    const live = await liveReport()
    rmSync(join(root, 'group/b'), { recursive: true })
    save('group/b/again', 1)
    await willTell(live, {
      'a/save': ['CKPT+1'],
      'group/b/again/save': ['CKPT+1'],
      'group/c/save': ['CKPT+1'],
    })
  })
})
