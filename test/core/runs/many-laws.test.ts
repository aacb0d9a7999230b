/** Laws of many runs, on generated trees: what is asked of all comes to what is asked run by run. */
import { linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  arrange,
  DiskUses,
  eachRun,
  openRun,
  openRuns,
  planEach,
  planPrune,
  summariseRun,
  toWritten,
  type PruneRequest,
} from '../../../src/core/runs/index.js'
import { bestPerMetric } from '../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../src/core/storage/local.js'

const storage = localStorage()
const now = 1_800_000_000
const context = { now, wait: () => Promise.resolve(), utcOffset: () => 0 }

const checkpoint = fc.record({
  loss: fc.integer({ min: 0, max: 6 }),
  bytes: fc.integer({ min: 0, max: 5000 }),
  linked: fc.boolean(),
})
const trees = fc.record({
  /** Where each run lies: some within the folder of another. */
  runs: fc.uniqueArray(
    fc.record({
      at: fc.constantFrom('a', 'b', 'b/deep', 'c/d/e', 'c/d'),
      checkpoints: fc.array(checkpoint, { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 5, selector: ({ at }) => at },
  ),
  keep: fc.integer({ min: 1, max: 3 }),
  byLoss: fc.boolean(),
})
type Tree = typeof trees extends fc.Arbitrary<infer T> ? T : never

async function inTree(tree: Tree, work: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'ckpt-laws-'))
  let first: string | null = null
  try {
    for (const { at, checkpoints } of tree.runs) {
      checkpoints.forEach(({ loss, bytes, linked }, index) => {
        const folder = join(root, at, `CKPT+${index}`)
        mkdirSync(folder, { recursive: true })
        const time = 1_700_000_000 + index
        writeFileSync(join(folder, 'CKPT.yaml'), `unixtime: ${time}.0\nloss: ${loss}.5\n`)
        const model = join(folder, 'model.ckpt')
        if (linked && first !== null) linkSync(first, model)
        else writeFileSync(model, 'x'.repeat(bytes + 1))
        first ??= model
      })
    }
    await work(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const requestOf = ({ keep, byLoss }: Tree): PruneRequest => ({
  query: { orders: byLoss ? [{ kind: 'min', key: 'loss' }] : [], where: [] },
  keep,
})

it('a prune of all runs removes exactly the union of what prunes of each remove', async () => {
  await fc.assert(
    fc.asyncProperty(trees, (tree) =>
      inTree(tree, async (root) => {
        const request = requestOf(tree)
        const { planned } = await planEach(eachRun(storage, root), {
          plan: async (run) => {
            const plan = await planPrune(storage, run, request, context)
            return { plan, written: toWritten(run.path, plan, { created: now, protect: true, allowEmpty: false }) }
          },
          whyAlone: async () => Promise.resolve(null),
        })
        const together = planned.flatMap(({ written }) => written.remove.map(({ name }) => join(written.run, name)))
        const alone: string[] = []
        for (const { path } of await openRuns(storage, root)) {
          const { remove } = await planPrune(storage, await openRun(storage, path), request, context)
          alone.push(...remove.map((one) => one.checkpoint.path))
        }
        expect(together.sort()).toEqual(alone.sort())
      }),
    ),
    { numRuns: 15 },
  )
})

it('du sums to the apparent size of all files of the checkpoints, links counted once', async () => {
  await fc.assert(
    fc.asyncProperty(trees, (tree) =>
      inTree(tree, async (root) => {
        const uses = new DiskUses(storage)
        let told = 0
        for await (const { run } of eachRun(storage, root)) {
          for (const bytes of Object.values((await uses.of(run)).bytes)) told += bytes
        }
        const inodes = new Map<number, number>()
        for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
          const stat = lstatSync(join(root, name))
          if (stat.isFile()) inodes.set(stat.ino, stat.size)
        }
        expect(told).toBe([...inodes.values()].reduce((sum, size) => sum + size, 0))
      }),
    ),
    { numRuns: 15 },
  )
})

it('runs and list agree on how many checkpoints there are and which is the best', async () => {
  await fc.assert(
    fc.asyncProperty(trees, (tree) =>
      inTree(tree, async (root) => {
        const query = { orders: [], where: [] }
        for await (const found of eachRun(storage, root)) {
          const summary = await summariseRun(found.storage, found.run, { query, order: undefined, verify: 'none', now })
          const listed = await openRun(storage, found.run.path)
          const { ordered } = await arrange(storage, listed.checkpoints, query, now)
          expect(summary.count).toBe(ordered.length)
          expect(summary.best?.checkpoint.path).toBe(bestPerMetric(ordered, now).get('loss')?.path)
          expect(summary.latest?.path).toBe(ordered[0]?.path)
        }
      }),
    ),
    { numRuns: 15 },
  )
})
