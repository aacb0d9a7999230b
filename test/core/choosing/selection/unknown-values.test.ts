/** Which checkpoints may be the best, for all that can be read of them. */
import { expect, it } from 'vitest'
import { healthFrom, type Checkpoint, type Grade } from '../../../../src/core/checkpoint.js'
import { withUnknownValues } from '../../../../src/core/choosing/selection/index.js'

function checkpoint(meta: Readonly<Record<string, number>>, grade?: Exclude<Grade, 'unchecked' | 'whole'>): Checkpoint {
  const health = healthFrom('none', grade === undefined ? [] : [{ grade, reason: 'for a test' }])
  return { meta: new Map(Object.entries(meta)), health } as unknown as Checkpoint
}

it('is one that was not ranked, is unreadable or damaged, and lacks a key that others have', () => {
  const good = checkpoint({ loss: 1 })
  const unread = checkpoint({}, 'unreadable')
  const broken = checkpoint({ epoch: 1 }, 'corrupt')
  const unfinished = checkpoint({}, 'partial')
  const all = [good, unread, broken, unfinished, checkpoint({})]
  expect(withUnknownValues(all, [good], ['loss'])).toEqual([unread, broken])
  expect(withUnknownValues(all, [good], ['epoch'])).toEqual([unread])
  expect(withUnknownValues(all, [good], ['nobody'])).toEqual([])
  expect(withUnknownValues(all, [good], [])).toEqual([])
  expect(withUnknownValues(all, all, ['loss'])).toEqual([])
  expect(withUnknownValues(all, [good, unread], ['loss'])).toEqual([broken])
})
