/** Laws of many runs, on generated trees: what is asked of all comes to what is asked run by run. */
import { cpSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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
  planBelow,
  planPrune,
  summariseRun,
  type PruneRequest,
} from '../../../../src/core/runs/index.js'
import { bestPerMetric } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

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
      layout: fc.constantFrom('speechbrain', 'hf', 'coqui'),
      checkpoints: fc.array(checkpoint, { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 5, selector: ({ at }) => at },
  ),
  keep: fc.integer({ min: 1, max: 3 }),
  byLoss: fc.boolean(),
})
type Tree = typeof trees extends fc.Arbitrary<infer T> ? T : never

/** How a checkpoint is saved; the path of a file that may hold anything. */
const saves: Record<Tree['runs'][number]['layout'], (run: string, step: number, loss: number) => string | null> = {
  speechbrain: (run, step, loss) => {
    const folder = join(run, `CKPT+${step}`)
    mkdirSync(folder)
    writeFileSync(join(folder, 'CKPT.yaml'), `unixtime: ${1_700_000_000 + step}.0\nloss: ${loss}.5\n`)
    return join(folder, 'model.ckpt')
  },
  hf: (run, step, loss) => {
    const folder = join(run, `checkpoint-${step}`)
    mkdirSync(folder)
    const state = { global_step: step, log_history: [{ step, eval_loss: loss + 0.5 }] }
    writeFileSync(join(folder, 'trainer_state.json'), JSON.stringify(state))
    return join(folder, 'pytorch_model.bin')
  },
  coqui: (run, step) => {
    cpSync(coqui, join(run, `checkpoint_${step}.pth`))
    return null
  },
}
const coqui = join(
  import.meta.dirname,
  '../../../fixtures/runs/frameworks/coqui/run/tiny-tts-November-28-2026_11+47PM-0000000/checkpoint_20.pth',
)

async function inTree(tree: Tree, work: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'ckpt-laws-'))
  let first: string | null = null
  try {
    for (const { at, layout, checkpoints } of tree.runs) {
      mkdirSync(join(root, at), { recursive: true })
      checkpoints.forEach(({ loss, bytes, linked }, index) => {
        const model = saves[layout](join(root, at), index + 1, loss)
        if (model === null) return
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
        const { planned } = await planBelow(storage, root, {
          contextOf: () => Promise.resolve(context),
          requestFor: () => Promise.resolve(request),
          whyAlone: () => Promise.resolve(null),
          isAcross: false,
          walking: {},
          now,
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
        let runs = 0
        for await (const found of eachRun(storage, root)) {
          runs += 1
          const summary = await summariseRun(found.storage, found.run, { query, order: undefined, verify: 'none', now })
          const listed = await openRun(storage, found.run.path)
          const { ordered } = await arrange(storage, listed.checkpoints, query, now)
          expect(summary.count).toBe(ordered.length)
          const best = bestPerMetric(ordered, now)
          expect(summary.best?.checkpoint.path).toBe(best.get(summary.best?.by ?? '')?.path)
          expect(summary.best === null).toBe(best.size === 0)
          expect(summary.latest?.path).toBe(ordered[0]?.path)
        }
        expect(runs).toBe(tree.runs.length)
      }),
    ),
    { numRuns: 15 },
  )
})
