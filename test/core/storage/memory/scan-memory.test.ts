import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { walkFrom } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { mostRemembered, ScanRecordFiles } from '../../../../src/core/storage/memory/record-files.js'
import { ScanMemory } from '../../../../src/core/storage/memory/scan-memory.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'

let root: string
let cache: string
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-memory-'))
  root = join(folder, 'exp')
  cache = join(folder, 'cache')
  mkdirSync(cache, { mode: 0o700 })
  for (const run of ['a', 'b']) for (const epoch of [1, 2, 3]) save(run, epoch, 10 - epoch)
})
afterEach(() => rmSync(join(root, '..'), { recursive: true, force: true }))

function save(run: string, epoch: number, loss: number): void {
  const checkpoint = join(root, run, 'save', `CKPT+ep${epoch}`)
  mkdirSync(checkpoint, { recursive: true })
  writeFileSync(join(checkpoint, 'CKPT.yaml'), `epoch: ${epoch}\nloss: ${loss}.5\nunixtime: ${1.7e9 + epoch}\n`)
  writeFileSync(join(checkpoint, 'model.ckpt'), 'weights')
}

interface Look {
  /** By run and checkpoint. */
  readonly losses: Record<string, unknown>
  /** Files of which bytes were asked of the disk. */
  readonly read: string[]
  readonly listed: string[]
}

/** Half a minute from now, so that what the test has just written is old, unless the test says otherwise. */
async function look({ later = 30, remembers = true } = {}): Promise<Look> {
  const read: string[] = []
  const listed: string[] = []
  const local = localStorage()
  const counting: ReadStorage = {
    ...local,
    list: (paths) => (listed.push(...paths), local.list(paths)),
    read: (paths, limit) => (read.push(...paths), local.read(paths, limit)),
    open: (path) => (read.push(path), local.open(path)),
  }
  const now = () => Date.now() / 1000 + later
  const records = new ScanRecordFiles(local, cache, 'this version')
  const memory = remembers ? new ScanMemory(records, now) : undefined
  const losses: Record<string, unknown> = {}
  for await (const { run } of walkFrom(counting, root, { memory })) {
    for (const { path, meta } of run.checkpoints) losses[path.slice(root.length + 1)] = meta.get('loss')
  }
  await records.tidy(now())
  return { losses, read, listed }
}

describe('what searches remember', () => {
  it('a second look gives the same, reads no file, and lists each folder once', async () => {
    const first = await look()
    expect(first.read.filter((path) => path.endsWith('CKPT.yaml'))).toHaveLength(6)
    const second = await look()
    expect(second.losses).toEqual(first.losses)
    expect(second.losses).toEqual((await look({ remembers: false })).losses)
    expect(second.read).toEqual([])
    expect(new Set(second.listed).size).toBe(second.listed.length)
  })

  it('the file decides: what was written anew is read, also with its old size and time', async () => {
    await look()
    const meta = join(root, 'a/save/CKPT+ep2/CKPT.yaml')
    const { atime, mtime } = statSync(meta)
    writeFileSync(meta, `epoch: 2\nloss: 1.5\nunixtime: ${1.7e9 + 2}\n`)
    utimesSync(meta, atime, mtime)
    const { losses, read } = await look()
    expect(losses['a/save/CKPT+ep2']).toBe(1.5)
    expect(read).toEqual([meta])
  })

  it('a file that is younger than two seconds when it is read is not remembered', async () => {
    await look({ later: 0 })
    expect(readdirSync(cache)).toEqual([])
    expect((await look({ later: -3600 })).read).toHaveLength(6)
    await look({ later: 2.5 })
    expect((await look()).read).toEqual([])
  })

  it('what is damaged in the cache, or vanishes from it, is read from the files again', async () => {
    const { losses } = await look()
    const [first = '', second = ''] = readdirSync(cache)
    writeFileSync(join(cache, first), 'ckpt scan 2 "this version"\n\u0001\u0002\u0003 nonsense that is not an entry')
    rmSync(join(cache, second))
    mkdirSync(join(cache, second))
    expect((await look()).losses).toEqual(losses)
    rmSync(cache, { recursive: true })
    expect((await look()).losses).toEqual(losses)
  })

  it('many at once do not disturb each other', async () => {
    const { losses } = await look({ remembers: false })
    for (const answer of await Promise.all(Array.from({ length: 8 }, () => look())))
      expect(answer.losses).toEqual(losses)
    expect((await look()).read).toEqual([])
    expect(readdirSync(cache).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('holds at most its bound, the oldest go first, and drafts of killed ones are taken away', async () => {
    for (const [age, name] of [
      [400, 'd'],
      [300, 'c'],
      [200, 'b'],
      [100, 'a'],
    ] as const) {
      writeFileSync(join(cache, `${name}.scan`), '')
      truncateSync(join(cache, `${name}.scan`), Math.ceil(mostRemembered / 3))
      const time = Date.now() / 1000 - age * 3600
      utimesSync(join(cache, `${name}.scan`), time, time)
    }
    writeFileSync(join(cache, 'x.tmp'), '')
    utimesSync(join(cache, 'x.tmp'), 1.7e9, 1.7e9)
    await look()
    const left = readdirSync(cache)
    expect(left).not.toContain('x.tmp')
    expect(left).not.toContain('d.scan')
    expect(left).toContain('a.scan')
    expect((await look()).read).toEqual([])
  })

  it('holds at most its bound also after one walk over more than that', async () => {
    const records = new ScanRecordFiles(localStorage(), cache, 'this version')
    const state = { device: 1n, inode: 1n, size: 1e6, modifiedNs: 0n, changedNs: 0n }
    for (let at = 0; at < 20; at++) {
      const extents = [{ position: 0, bytes: randomBytes(1e6) }]
      await records.save(`/exp/${at}`, [{ path: `/exp/${at}/meta`, state, extents, facts: '' }])
    }
    expect(bytesIn(cache)).toBeLessThanOrEqual(mostRemembered)
    expect(await records.load('/exp/0')).toHaveLength(1)
  })

  it('is packed', async () => {
    const records = new ScanRecordFiles(localStorage(), cache, 'this version')
    await records.saveAnswer('what?', 'the same '.repeat(100_000))
    expect(bytesIn(cache)).toBeLessThan(10_000)
    const other = new ScanRecordFiles(localStorage(), cache, 'this version')
    expect(await other.loadAnswer('what?')).toBe('the same '.repeat(100_000))
  })
})

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
