/** Runs that the real frameworks wrote, against what they said of them when they read them back. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures } from './folders.js'

const frameworks = join(fixtures, 'frameworks')

interface Expected {
  readonly run: string
  readonly checkpoints: readonly {
    readonly name: string
    readonly kind: 'dir' | 'file' | 'group'
    readonly step: number | null
    readonly epoch: number | null
    readonly metrics: Readonly<Record<string, number | string>>
    readonly resumable?: boolean
  }[]
}

async function scan(root: string) {
  const runs = await findRuns(localStorage(), root)
  return runs.flatMap(({ checkpoints }) => checkpoints.map((one) => ({ ...one, name: relative(root, one.path) })))
}

/** JSON has no word for them. */
function numberOf(value: number | string): number {
  return typeof value === 'string' ? Number(value.replace('nan', 'NaN').replace('inf', 'Infinity')) : value
}

describe.each(readdirSync(frameworks))('a run of %s', (framework) => {
  const expected = JSON.parse(readFileSync(join(frameworks, framework, 'expected.json'), 'utf8')) as Expected
  const root = join(frameworks, framework, expected.run)

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

  it('has a file with the weights in each checkpoint', async () => {
    for (const { name, files } of await scan(root)) {
      const roles = files.map(({ role }) => role)
      expect([name, roles.some((role) => ['weights', 'all', 'index'].includes(role))]).toEqual([name, true])
    }
  })
})
