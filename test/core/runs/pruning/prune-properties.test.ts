import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { carryOut, openRun, pin, planPrune, type PruneRequest } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { lockOptions } from '../../../changes.js'

const storage = localStorage()
const now = 1_800_000_000
const context = { now, wait: () => Promise.resolve(), utcOffset: () => 0 }

/** One file of a checkpoint: bytes written, a hole after them, or another name of an earlier file. */
const file = fc.record({ bytes: fc.integer({ min: 0, max: 20_000 }), hole: fc.boolean(), linked: fc.boolean() })
const runs = fc.record({
  checkpoints: fc.array(fc.array(file, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
  keep: fc.integer({ min: 0, max: 4 }),
  pinned: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
  protect: fc.boolean(),
})
type Made = typeof runs extends fc.Arbitrary<infer T> ? T : never

function make({ checkpoints }: Made, run: string): void {
  const made: string[] = []
  checkpoints.forEach((files, at) => {
    const folder = join(run, `CKPT+${at}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'CKPT.yaml'), `unixtime: ${1_700_000_000 + at}.0\n`)
    files.forEach(({ bytes, hole, linked }, index) => {
      const path = join(folder, `f${index}.bin`)
      const earlier = made[(at * 7 + index) % Math.max(1, made.length)]
      if (linked && earlier !== undefined) linkSync(earlier, path)
      else {
        writeFileSync(path, 'x'.repeat(bytes))
        if (hole) truncateSync(path, bytes + (1 << 24))
        made.push(path)
      }
    })
  })
}

/** Bytes of all files below, each inode once, holes left out. */
function dataBelow(path: string): number {
  const inodes = new Map<bigint, number>()
  const add = (at: string) => {
    const stat = statSync(at, { bigint: true })
    if (stat.isFile()) inodes.set(stat.ino, Math.min(Number(stat.size), Number(stat.blocks) * 512))
  }
  for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) add(join(path, name))
  return [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0)
}

it('what is protected is never removed, and the freed bytes told are the bytes freed', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async (made) => {
      const folder = mkdtempSync(join(tmpdir(), 'ckpt-freed-'))
      try {
        const path = join(folder, 'save')
        make(made, path)
        const names = made.pinned.filter((at) => at < made.checkpoints.length).map((at) => `CKPT+${at}`)
        if (names.length > 0) await pin(storage, path, { names, note: '' }, lockOptions())
        const run = await openRun(storage, path)
        const { keep, protect } = made
        const request: PruneRequest = { query: { orders: [], where: [] }, keep, protect, allowEmpty: true }
        const plan = await planPrune(storage, run, request, context)
        const before = dataBelow(path)
        const going = {
          checkpoints: plan.remove.map(({ checkpoint }) => checkpoint),
          stays: plan.keep.map(({ checkpoint }) => checkpoint),
          fingerprints: plan.fingerprints,
          reasons: new Map<string, string>(),
        }
        const removal = await carryOut(storage, run, going, { wait: context.wait, now, trash: false })
        expect(removal).toMatchObject({ failed: [], leftovers: [] })
        expect(removal.freedBytes).toBe(plan.freedBytes)
        expect(before - dataBelow(path)).toBe(plan.freedBytes)
        const left = readdirSync(path)
        if (protect) expect(left).toEqual(expect.arrayContaining([...names, `CKPT+${made.checkpoints.length - 1}`]))
        expect(left.length + removal.removed.length).toBe(made.checkpoints.length)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }),
    { numRuns: 150 },
  )
}, 60_000)
