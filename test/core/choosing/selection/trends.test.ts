import { expect, it } from 'vitest'
import { trendsOf } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint } from '../../checkpoints.js'

const run = [
  checkpoint('c', { meta: { loss: 1, val_loss: 0.5, foo: 4 } }),
  checkpoint('b', { meta: { loss: 3, val_loss: NaN, foo: 6 } }),
  checkpoint('a', { meta: { loss: 2, val_loss: 0.75, foo: 5, text: 'x' } }),
]

it('a training loss beside evaluations, and a metric of which nothing says the direction, have a trend too', () => {
  expect(trendsOf(run, ['val_loss', 'loss', 'foo', 'text', 'absent'], 0)).toEqual([
    {
      metric: 'val_loss',
      values: [0.75, NaN, 0.5],
      direction: 'min',
      best: { name: 'c', value: 0.5 },
      worst: { name: 'a', value: 0.75 },
    },
    {
      metric: 'loss',
      values: [2, 3, 1],
      direction: 'min',
      best: { name: 'c', value: 1 },
      worst: { name: 'b', value: 3 },
    },
    {
      metric: 'foo',
      values: [5, 6, 4],
      direction: null,
      best: { name: 'c', value: 4 },
      worst: { name: 'b', value: 6 },
    },
  ])
})

it('an order says the direction of its own key', () => {
  const [foo, loss] = trendsOf(run, ['foo', 'loss'], 0, [{ kind: 'max', key: 'foo' }])
  expect(foo).toMatchObject({ direction: 'max', best: { value: 6 }, worst: { value: 4 } })
  expect(loss?.direction).toBe('min')
})
