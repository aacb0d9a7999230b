import { describe, expect, it } from 'vitest'
import type { HyperParameters } from '../../src/core/checkpoint.js'
import type { RunComparison } from '../../src/core/runs/index.js'
import { renderRunDiff } from '../../src/render/diff-runs.js'
import { Output } from '../../src/render/output.js'
import { renderSettings } from '../../src/render/show.js'

const stream = (isTTY: boolean) => ({ isTTY, columns: 80, rows: 40, isOpen: true, write: () => true })
const output = (isTTY: boolean) => new Output(stream(isTTY), stream(isTTY), { NO_COLOR: '1' })

const run = (path: string) => ({ path, checkpoints: [], size: 0, best: null, code: null })
const only = (side: 'a' | 'b', count: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `${side}${index}`,
    a: side === 'a' ? 1 : undefined,
    b: side === 'b' ? 1 : undefined,
  }))

async function diffed(settings: RunComparison['settings'], { isTTY = true, all = false } = {}): Promise<string> {
  const comparison = { a: run('/a'), b: run('/b'), settings, alike: 2, axis: 'step' as const, metrics: [] }
  return (await renderRunDiff(comparison, { output: output(isTTY), all })).join('\n')
}

describe('many hyper-parameters', () => {
  const lr = { name: 'lr', a: 0.1, b: 0.2 }
  const many = [...only('a', 161), lr, ...only('b', 3)]

  it('of two runs on a terminal: those of both in the table, the others counted and named below', async () => {
    const text = await diffed(many)
    expect(text).toContain('Hyper-parameters: 165 differ, 2 alike\nNAME  A    B\nlr    0.1  0.2\n')
    expect(text).toContain('\n161 only in A: a0, a1, a2, a3, a4, …\n3 only in B: b0, b1, b2\nall of them: --all\n')
    expect(text).not.toContain('a5')
  })

  it.each([{ all: true }, { isTTY: false }])('are all there with %j', async (how) => {
    const text = await diffed(many, how)
    expect(text.match(/^[ab]\d+ /gm)).toHaveLength(164)
    expect(text).not.toContain('only in')
  })

  it('of which none are in both have no table', async () => {
    expect(await diffed(only('a', 30))).toContain('Hyper-parameters: 30 differ, 2 alike\n30 only in A: a0, ')
  })

  it('few are a table, whoever has them', async () => {
    expect((await diffed([lr, ...only('a', 10)])).match(/^(a\d|lr) /gm)).toHaveLength(11)
  })

  const settings: HyperParameters = new Map(
    Array.from({ length: 25 }, (_, index) => [`p${index}`, { value: index, source: '/run/config.json' }] as const),
  )

  it.each([
    [{ isTTY: true, all: false }, 21, 'and 5 more: --all'],
    [{ isTTY: true, all: true }, 25, 'p24  24'],
    [{ isTTY: false, all: false }, 25, 'p24  24'],
  ])('of one run with %j: %i lines', ({ isTTY, all }, count, last) => {
    const lines = renderSettings(settings, '/run', { output: output(isTTY), all })
    expect(lines.slice(2)).toHaveLength(count)
    expect(lines.at(-1)).toContain(last)
  })
})
