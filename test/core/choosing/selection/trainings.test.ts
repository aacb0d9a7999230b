import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { byRecency } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint } from '../../checkpoints.js'

const hour = 3600

function at(step: number, hours: number, name = `checkpoint-${step}`): Checkpoint {
  return checkpoint(name, { step, modified: hours * hour })
}

function trainings(...checkpoints: readonly Checkpoint[]): string[] {
  return byRecency(checkpoints).trainings.map((one) => one.map(({ name }) => name).join(' '))
}

function order(...checkpoints: readonly Checkpoint[]): number[] {
  return byRecency(checkpoints).ordered.map(({ step }) => step ?? -1)
}

describe('two trainings in one folder', () => {
  it('are told apart by steps that fall while times rise, and the newest one comes first', () => {
    const all = [at(500, 1), at(600, 2), at(700, 3), at(100, 50), at(200, 51)]
    expect(trainings(...all)).toEqual(['checkpoint-500 checkpoint-600 checkpoint-700', 'checkpoint-100 checkpoint-200'])
    expect(order(...all)).toEqual([200, 100, 700, 600, 500])
    expect(order(at(2000, 1), at(500, 90))).toEqual([500, 2000])
  })

  it('are not seen in one that goes on, nor in times that copying has left', () => {
    expect(trainings(at(100, 1), at(200, 2), at(300, 3))).toHaveLength(1)
    const copied = [300, 100, 200].map((step, index) => checkpoint(`c${step}`, { step, modified: 1000 + index }))
    expect(trainings(...copied)).toHaveLength(1)
    // In the order of the names, some minutes each.
    expect(trainings(at(1000, 1), at(1100, 1.1), at(200, 1.2), at(300, 1.3))).toHaveLength(1)
    expect(trainings(at(3, 1), at(1, 2), at(4, 3), at(2, 4), at(5, 5), at(0, 6))).toHaveLength(1)
  })

  it('are more than two where it was begun anew twice', () => {
    expect(trainings(...[300, 400, 100, 200, 210, 220, 230, 50].map((step, index) => at(step, index)))).toHaveLength(3)
  })

  it('are not looked for where times order all anyway', () => {
    const timed = (epoch: number, unixtime: number) => checkpoint(`e${epoch}`, { meta: { epoch, unixtime } })
    expect(byRecency([timed(5, 1000), timed(1, 9000)]).trainings).toHaveLength(1)
  })
})
