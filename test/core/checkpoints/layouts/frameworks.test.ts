/** Runs that the real frameworks wrote, against what they said of them when they read them back. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { holdsWeights, isResumable, type Run } from '../../../../src/core/checkpoint.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findLayout, findRuns, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { bestOrder, byRecency, rank } from '../../../../src/core/choosing/selection/index.js'
import { choose, openRunToGoOn } from '../../../../src/core/runs/index.js'
import { arrange } from '../../../../src/core/runs/opening/rank-and-filter.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures } from './folders.js'

/** By the frameworks as they come, and with other options (`options` in the expected.json). */
const runs = ['frameworks', 'variants'].flatMap((kind) =>
  readdirSync(join(fixtures, kind)).map((name) => [`${kind}/${name}`, join(fixtures, kind, name)] as const),
)

interface Expected {
  readonly run: string
  readonly checkpoints: readonly {
    readonly name: string
    readonly kind: 'dir' | 'file' | 'group'
    readonly step: number | null
    readonly epoch: number | null
    readonly metrics: Readonly<Record<string, number | string>>
    readonly resumable?: boolean
    readonly weights?: { readonly files: readonly string[] }
  }[]
  readonly latest?: string | null
  readonly latest_also?: readonly string[]
  /** `judged`: the framework itself tells the metric and the direction. */
  readonly best?: { readonly name: string; readonly also?: readonly string[]; readonly judged?: boolean } | null
  readonly pointers?: readonly {
    readonly file: string
    readonly field: string | null
    readonly target: string | null
  }[]
}

interface Damaged {
  readonly run: string
  readonly resume: string | null
}

async function scan(root: string) {
  const runs = await findRuns(localStorage(), root)
  return runs.flatMap(({ checkpoints }) => checkpoints.map((one) => ({ ...one, name: relative(root, one.path) })))
}

function checkpointsOf({ checkpoints }: Run) {
  return checkpoints
}

function isWithin(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

/** JSON has no word for them. */
function numberOf(value: number | string): number {
  return typeof value === 'string' ? Number(value.replace('nan', 'NaN').replace('inf', 'Infinity')) : value
}

describe.each(runs)('a run of %s', (_, fixture) => {
  const expected = JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8')) as Expected
  const root = join(fixture, expected.run)

  it('has its checkpoints and nothing else, with steps, epochs and metrics to the last digit', async () => {
    const found = await scan(root)
    expect(found.map(({ name }) => name).sort()).toEqual(expected.checkpoints.map(({ name }) => name).sort())
    for (const one of expected.checkpoints) {
      const checkpoint = found.find(({ name }) => name === one.name)
      if (one.step !== null) expect([one.name, checkpoint?.step]).toEqual([one.name, one.step])
      if (one.epoch !== null) expect([one.name, checkpoint?.epoch]).toEqual([one.name, one.epoch])
      const metrics = Object.entries(one.metrics).map(([key, value]) => [key, numberOf(value)])
      expect(metrics.map(([key = '']) => [key, checkpoint?.meta.get(String(key))])).toEqual(metrics)
    }
  })

  it('is sound: nothing is told of any checkpoint', async () => {
    const found = await scan(root)
    expect(found.flatMap(({ name, health }) => health.findings.map(({ reason }) => `${name}: ${reason}`))).toEqual([])
  })

  it('is whole when every byte of it is read', async () => {
    for (const { checkpoints } of await findRuns(localStorage(), root)) {
      const graded = await checkHealth(localStorage(), checkpoints, checkpoints, 'deep')
      const findings = graded.flatMap(({ name, health }) => health.findings.map(({ reason }) => `${name}: ${reason}`))
      expect(findings).toEqual([])
    }
  })

  it('has the newest first', async () => {
    const all = await measure(localStorage(), (await findRuns(localStorage(), root)).flatMap(checkpointsOf))
    const [first] = byRecency(all).ordered
    const newest = [expected.latest, ...(expected.latest_also ?? [])].map((name) => join(root, name ?? ''))
    // Of equal counts the newer file is first, and a clone gives them the times of the cloning.
    const equal = all.filter(
      ({ step, epoch }) => step === first?.step && epoch === first.epoch && (step ?? epoch) !== null,
    )
    const firsts = [first, ...equal].map((one) => one?.path)
    if (typeof expected.latest === 'string') expect(firsts.some((path) => newest.includes(path ?? ''))).toBe(true)
  })

  it.runIf(expected.best?.judged === true)('has the best by the framework’s own word', async () => {
    const checkpoints = (await findRuns(localStorage(), root)).flatMap(checkpointsOf)
    const { ordered } = await arrange(localStorage(), checkpoints, { orders: [], where: [] }, 2e9)
    const best = rank(ordered, bestOrder(ordered), 2e9)[0]?.path ?? ''
    expect([expected.best?.name, ...(expected.best?.also ?? [])]).toContain(relative(root, best))
  })

  it('has those for resumable that the framework can go on from', async () => {
    const found = await scan(root)
    for (const { name, resumable } of expected.checkpoints) {
      const one = found.find((each) => each.name === name)
      if (resumable !== undefined && one !== undefined) expect([name, isResumable(one)]).toEqual([name, resumable])
    }
  })

  it('knows the files with the weights as such', async () => {
    const found = await scan(root)
    for (const { name, weights } of expected.checkpoints) {
      const one = found.find((each) => each.name === name)
      if (one === undefined) continue
      const known = one.files.filter(holdsWeights).map(({ path }) => path)
      for (const file of weights?.files ?? []) {
        const places = [join(root, file), join(one.path, file)]
        // A group is called by one of its files, and a folder of shards is one.
        expect([
          file,
          known.some((path) =>
            places.some(
              (place) => place === path || place === one.path || isWithin(place, path) || isWithin(path, place),
            ),
          ),
        ]).toEqual([file, true])
      }
    }
  })

  it('has the pointers of the framework where they are files or links', async () => {
    const found = await scan(root)
    const told = new Set(
      found.flatMap(({ pointsTo, run }) => pointsTo.map(({ name }) => relative(root, join(run, name)))),
    )
    for (const { file, field, target } of expected.pointers ?? []) {
      const isCopy = field !== null && /copy|weights|hard link/.test(field)
      if (target === null || isCopy) continue
      expect([
        file,
        told.has(target) || found.some(({ name, sameAs }) => name === target && sameAs === undefined),
      ]).toEqual([file, true])
    }
  })

  const damaged = existsSync(join(fixture, 'damaged.json'))
    ? (JSON.parse(readFileSync(join(fixture, 'damaged.json'), 'utf8')) as Damaged)
    : null
  it.runIf(typeof damaged?.resume === 'string')('damaged, is gone on from where the framework can', async () => {
    const folder = join(fixture, damaged?.run ?? '')
    const storage = localStorage()
    const { run } = await openRunToGoOn(storage, folder)
    const request = { query: { orders: [], where: [] }, verify: 'deep', keys: [] } as const
    const { checkpoint } = await choose(storage, run, request, { now: 2e9, wait: async () => Promise.resolve() })
    expect(relative(folder, checkpoint.path)).toBe(damaged?.resume)
  })

  it('has a file or a folder with the weights in each checkpoint', async () => {
    for (const { name, path, kind, layout, files } of await scan(root)) {
      const folders = kind === 'directory' ? readdirSync(path, { withFileTypes: true }) : []
      const inside = folders
        .filter((entry) => entry.isDirectory())
        .map((entry) => findLayout(layout)?.roleOf({ name: entry.name, kind: 'directory' }))
      const roles = [...files.map(({ role }) => role), ...inside]
      expect([name, roles.some((role) => role === 'weights' || role === 'all' || role === 'index')]).toEqual([
        name,
        true,
      ])
    }
  })
})
