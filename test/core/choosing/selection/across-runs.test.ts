import { describe, expect, it } from 'vitest'
import { byRecencyAcross } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint, namesOf } from '../../checkpoints.js'

const of = (run: string, name: string, modified: number, meta = {}) => ({
  ...checkpoint(name, { modified, meta }),
  run,
})

describe('recency over several runs', () => {
  it('is each run’s own order, whatever the times of the files in it say', () => {
    const run = [
      of('/a', 'step_1', 30, { step: 1 }),
      of('/a', 'step_3', 10, { step: 3 }),
      of('/a', 'step_2', 20, { step: 2 }),
    ]
    expect(namesOf(byRecencyAcross(run))).toEqual(['step_3', 'step_2', 'step_1'])
  })

  it('goes by time among runs', () => {
    const older = [of('/a', 'a1', 1, { step: 900 }), of('/a', 'a2', 2, { step: 1000 })]
    const newer = [of('/b', 'b1', 3, { step: 1 }), of('/b', 'b2', 4, { step: 2 })]
    expect(namesOf(byRecencyAcross([...older, ...newer]))).toEqual(['b2', 'b1', 'a2', 'a1'])
  })

  it('leaves one whose time is unknown behind', () => {
    const unknown = { ...of('/a', 'unknown', 0, { step: 1 }), modified: null }
    expect(namesOf(byRecencyAcross([unknown, of('/b', 'known', 1, { step: 1 })]))).toEqual(['known', 'unknown'])
  })
})
