import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backOff } from '../../../../src/core/jobs/supervise/back-off.js'

const seconds = fc.double({ min: 0.001, max: 1e6, noNaN: true })
const chance = fc.double({ min: 0, max: 1, noNaN: true })

describe('the wait before a retry', () => {
  it('doubles with each failure, and stays between half of that and all of it, and below the cap', () => {
    fc.assert(
      fc.property(seconds, seconds, fc.integer({ min: 1, max: 1000 }), chance, (first, cap, failures, random) => {
        const full = Math.min(cap, first * 2 ** (failures - 1))
        const wait = backOff({ first, cap }, failures, random)
        expect(wait).toBeGreaterThanOrEqual(full / 2)
        expect(wait).toBeLessThanOrEqual(full)
      }),
    )
  })

  it('differs by chance: a hundred jobs that end at once do not come back at once', () => {
    const waits = Array.from({ length: 100 }, (_, index) => backOff({ first: 10, cap: 300 }, 3, index / 100))
    expect(new Set(waits).size).toBe(100)
  })
})
