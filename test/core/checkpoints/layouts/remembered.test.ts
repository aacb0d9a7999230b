/** A scan answers the same whether it reads every file, remembers what it reads, or remembers what an earlier one found. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Run } from '../../../../src/core/checkpoint.js'
import { walkFrom } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { ScanMemory, type RememberedFile, type ScanRecords } from '../../../../src/core/storage/memory/scan-memory.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'
import { fixtures } from './folders.js'

/** Records that a test can look into and change. */
class Records implements ScanRecords {
  readonly folders = new Map<string, readonly RememberedFile[]>()

  async load(folder: string): Promise<readonly RememberedFile[]> {
    return Promise.resolve(this.folders.get(folder) ?? [])
  }

  async save(folder: string, files: readonly RememberedFile[]): Promise<void> {
    this.folders.set(folder, files)
    return Promise.resolve()
  }

  async loadAnswer(): Promise<null> {
    return Promise.resolve(null)
  }

  async saveAnswer(): Promise<void> {
    return Promise.resolve()
  }

  change(change: (file: RememberedFile) => RememberedFile): void {
    for (const [folder, files] of this.folders) this.folders.set(folder, files.map(change))
  }
}

/** Half a minute from now: what the test has just written is old. */
const later = () => Date.now() / 1000 + 30

async function scan(root: string, records: Records | null): Promise<{ runs: Run[]; read: string[] }> {
  const read: string[] = []
  const local = localStorage()
  const counting: ReadStorage = {
    ...local,
    read: (paths, limit) => (read.push(...paths), local.read(paths, limit)),
    open: (path) => (read.push(path), local.open(path)),
  }
  const runs: Run[] = []
  const memory = records === null ? undefined : new ScanMemory(records, later)
  for await (const { run } of walkFrom(counting, root, { memory })) runs.push(run)
  return { runs, read }
}

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-remembered-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('what scans remember of files', () => {
  it('gives for every layout what reading gives, without reading', async () => {
    const records = new Records()
    const bare = await scan(fixtures, null)
    expect(bare.runs.length).toBeGreaterThan(40)
    expect((await scan(fixtures, records)).runs).toEqual(bare.runs)
    const warm = await scan(fixtures, records)
    expect(warm.runs).toEqual(bare.runs)
    // Some are asked for where they may be, and are not.
    expect(warm.read.filter((path) => existsSync(path))).toEqual([])
  })

  it('is plain text for torch, and not its bytes', async () => {
    const records = new Records()
    await scan(fixtures, records)
    const files = [...records.folders.values()].flat()
    // A .distcp is many archives, of which single numbers are read.
    const archives = files.filter(
      ({ path }) => !path.endsWith('.distcp') && readFileSync(path).subarray(0, 2).toString() === 'PK',
    )
    expect(archives.length).toBeGreaterThan(20)
    for (const { path, extents, facts } of archives) expect([path, extents, facts === '']).toEqual([path, [], false])
  })

  it('is asked of the file again where it cannot be an answer', async () => {
    const run = join(root, 'run')
    for (const name of ['torch_plain', 'lightning'])
      cpSync(join(fixtures, 'frameworks', name), join(run, name), { recursive: true })
    const bare = await scan(run, null)
    const known = new Records()
    await scan(run, known)
    const spoilt: ((facts: string) => string)[] = [
      () => 'no JSON',
      () => '["kind",[1,null,["torch","shell"]]]',
      (facts) => facts.replace('"kind",', '"kind",{"m":["a"]},"other",'),
      (facts) => facts.replaceAll(/"state dict in it",(?:true|false)/g, '"state dict in it","yes"'),
      (facts) => facts.replaceAll('"m":', '"f":').replaceAll('"state"', '"stat"'),
      (facts) => facts.replaceAll(/"(bestPath|contents|own)"/g, '"no $1"'),
    ]
    for (const spoil of spoilt) {
      const records = new Records()
      for (const [folder, files] of known.folders) records.folders.set(folder, files)
      records.change((file) => ({ ...file, facts: spoil(file.facts) }))
      expect((await scan(run, records)).runs).toEqual(bare.runs)
    }
  })

  it('holds for the very state of a file that was read', async () => {
    const run = join(root, 'run')
    cpSync(join(fixtures, 'frameworks', 'torch_plain'), run, { recursive: true })
    const records = new Records()
    const before = await scan(run, records)
    const [checkpoint] = before.runs[0]?.checkpoints ?? []
    const path = checkpoint?.path ?? ''
    const bytes = readFileSync(path)
    const { atime, mtime } = statSync(path)
    // Of the same length, with the old time: what was a pickle ends in the middle.
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, bytes.length >> 1), Buffer.alloc(bytes.length - (bytes.length >> 1))]),
    )
    utimesSync(path, atime, mtime)
    const after = await scan(run, records)
    expect(after.read).toContain(path)
    expect(after.runs).toEqual((await scan(run, null)).runs)
    expect(after.runs).not.toEqual(before.runs)
  })
})
