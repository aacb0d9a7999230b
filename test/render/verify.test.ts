/** What a check of many runs came to. */
import { expect, it } from 'vitest'
import { describeManyVerified, renderVerified } from '../../src/render/verify.js'
import type { Output } from '../../src/render/output.js'

type Verified = Parameters<typeof describeManyVerified>[0][number]

function run(path: string, grades: readonly string[], leftovers = 0): Verified {
  const checkpoints = grades.map((grade, at) => ({
    name: `c${at}`,
    health: { grade, findings: grade === 'whole' ? [] : [{ grade, reason: 'it is cut' }] },
  }))
  const left = Array.from({ length: leftovers }, () => ({ name: 'x.tmp', reason: 'left behind' }))
  return { run: { path }, checkpoints, leftovers: left } as unknown as Verified
}

it('is one line that counts what was found in all runs', () => {
  expect(describeManyVerified([run('/a', ['whole']), run('/b', ['whole', 'whole'])])).toBe(
    '2 runs, 3 checkpoints: nothing found',
  )
  const some = [run('/a', ['whole', 'corrupt']), run('/b', ['whole']), run('/c', ['corrupt', 'partial'], 1)]
  expect(describeManyVerified(some)).toBe('3 runs, 5 checkpoints: 2 corrupt, 1 partial, 1 leftover in 2 runs')
})

it('has the sum of a run under its path where a terminal is too narrow for both', () => {
  const narrow = { colours: false, width: 40 } as Output
  expect(renderVerified([run(`/data/${'x'.repeat(30)}`, ['whole'])], narrow).slice(0, 2)).toEqual([
    `/data/${'x'.repeat(30)}:`,
    '      1 checkpoint, whole',
  ])
})
