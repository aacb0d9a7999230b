import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byRecency, needsComplete, needsMeasure } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint, damaged, namesOf } from '../../checkpoints.js'

const unreadable = { health: damaged('corrupt', 'CKPT.yaml is empty') }

describe('recency', () => {
  it('goes by unixtime where all have one', () => {
    const run = [
      checkpoint('a', { meta: { unixtime: 3, step: 1 } }),
      checkpoint('b', { meta: { unixtime: 1, step: 3 } }),
      checkpoint('c', { meta: { unixtime: 2, step: 2 } }),
    ]
    expect(byRecency(run)).toMatchObject({ ordered: [run[0], run[2], run[1]], scale: 'unixtime' })
  })

  it('goes by the step where one lacks unixtime', () => {
    const run = [checkpoint('a', { meta: { unixtime: 3, step: 1 } }), checkpoint('b', { meta: { step: 3 } })]
    expect(byRecency(run)).toMatchObject({ ordered: [run[1], run[0]], scale: 'step' })
  })

  it('goes by the epoch where steps are not counted', () => {
    const run = [
      checkpoint('epoch_9', { meta: { epoch: 9 }, modified: 20 }),
      checkpoint('epoch_10', { meta: { epoch: 10 }, modified: 10 }),
    ]
    const { ordered, scale } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['epoch_10', 'epoch_9'], 'epoch'])
  })

  it('goes by the framework’s own number of the save where nothing else counts, and not by the times of the files', () => {
    const run = [9, 11, 10].map((saveNumber, index) => ({
      ...checkpoint(`checkpoint_${saveNumber}`, { modified: [30, 10, 20][index] ?? 0 }),
      saveNumber,
    }))
    const { ordered, scale, warning } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['checkpoint_11', 'checkpoint_10', 'checkpoint_9'], 'save number'])
    expect(warning).toBe(undefined)
  })

  it('puts what can be resumed from before weights of the same epoch, whichever was written later', () => {
    const run = [
      { ...checkpoint('6epoch', { meta: { epoch: 6 }, modified: 30 }), resumable: false },
      checkpoint('checkpoint', { meta: { epoch: 6 }, modified: 20 }),
      { ...checkpoint('7epoch', { meta: { epoch: 7 }, modified: 10 }), resumable: false },
    ]
    expect(namesOf(byRecency(run).ordered)).toEqual(['7epoch', 'checkpoint', '6epoch'])
  })

  it('puts averaged weights that count nothing behind what counts, without a vote', () => {
    const average = { ...checkpoint('avg_2', { modified: 30 }), resumable: false }
    const run = [checkpoint('epoch_1', { meta: { epoch: 1 } }), average, checkpoint('epoch_2', { meta: { epoch: 2 } })]
    const { ordered, scale } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['epoch_2', 'epoch_1', 'avg_2'], 'epoch'])
  })

  it('puts a final one that counts nothing before what counts, and a best one behind it, without a vote', () => {
    const run = [
      { ...checkpoint('best', { modified: 40 }), uncounted: 'any' as const },
      checkpoint('1', { meta: { epoch: 1 }, modified: 10 }),
      { ...checkpoint('final', { modified: 5 }), uncounted: 'newest' as const },
      checkpoint('2', { meta: { epoch: 2 }, modified: 30 }),
    ]
    const { ordered, scale } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['final', '2', '1', 'best'], 'epoch'])
  })

  it('goes by the files, with a warning, where nothing else is shared', () => {
    const run = [
      checkpoint('a', { meta: { unixtime: 3 }, modified: 10 }),
      checkpoint('b', { meta: { loss: 3 }, modified: 20 }),
    ]
    const { ordered, scale, warning } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['b', 'a'], 'file time'])
    expect(warning).toContain('1 of 2 checkpoints has no unixtime')
    const timeless = ['a', 'b'].map((name) => checkpoint(name, { meta: { loss: 3 } }))
    expect(byRecency(timeless.slice(0, 1)).warning).toContain('the only checkpoint has no unixtime')
    expect(byRecency(timeless).warning).toContain('none of the 2 checkpoints has a unixtime')
  })

  it('puts the newer first among equal steps, and the greater name among equal times', () => {
    const run = [
      checkpoint('a', { meta: { step: 1 }, modified: 10 }),
      checkpoint('b', { meta: { step: 1 }, modified: 20 }),
      checkpoint('c', { meta: { step: 1 }, modified: 10 }),
    ]
    expect(namesOf(byRecency(run).ordered)).toEqual(['b', 'c', 'a'])
  })

  it('compares names by code point, as Python does', () => {
    const run = ['\uff41', '\u{1f600}', 'z'].map((name) => checkpoint(name, { meta: { unixtime: 1 } }))
    expect(namesOf(byRecency(run).ordered)).toEqual(['\u{1f600}', '\uff41', 'z'])
  })

  it('gives an unreadable checkpoint the place just above its lower neighbour by name, and no vote', () => {
    const run = [
      checkpoint('ep1', { meta: { unixtime: 1 } }),
      checkpoint('ep2', { meta: { unixtime: 2 } }),
      checkpoint('ep2b', unreadable),
      checkpoint('ep2c', unreadable),
      checkpoint('ep3', { meta: { unixtime: 3 } }),
    ]
    const { ordered, scale } = byRecency(run)
    expect([namesOf(ordered), scale]).toEqual([['ep3', 'ep2c', 'ep2b', 'ep2', 'ep1'], 'unixtime'])
  })

  it('puts an unreadable checkpoint below all others just below the first', () => {
    const run = [
      checkpoint('ep0', unreadable),
      checkpoint('ep1', { meta: { unixtime: 1 } }),
      checkpoint('ep2', { meta: { unixtime: 2 } }),
    ]
    expect(namesOf(byRecency(run).ordered)).toEqual(['ep2', 'ep1', 'ep0'])
  })

  it('looks for the neighbour in the same run', () => {
    const run = [
      checkpoint('ep1', { meta: { unixtime: 1 } }),
      checkpoint('ep2', { meta: { unixtime: 9 }, run: '/other', path: '/other/ep2' }),
      checkpoint('ep3', unreadable),
    ]
    expect(namesOf(byRecency(run).ordered)).toEqual(['ep2', 'ep3', 'ep1'])
  })

  it('leaves an unreadable checkpoint its own step where steps decide', () => {
    const run = [
      checkpoint('checkpoint-1000', { step: 1000, ...unreadable }),
      checkpoint('checkpoint-500', { meta: { loss: 1 }, step: 500 }),
    ]
    expect(namesOf(byRecency(run).ordered)).toEqual(['checkpoint-1000', 'checkpoint-500'])
  })

  it('does not depend on the order in which the files were listed', () => {
    const one = fc.record({
      name: fc.stringMatching(/^[abc]{1,3}$/),
      unixtime: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(one, { selector: ({ name }) => name }),
        fc.infiniteStream(fc.nat()),
        (facts, random) => {
          const run = facts.map(({ name, unixtime }) =>
            unixtime === null ? checkpoint(name, unreadable) : checkpoint(name, { meta: { unixtime } }),
          )
          const keys = new Map(run.map((each) => [each, random.next().value as number]))
          const shuffled = run.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
          expect(namesOf(byRecency(shuffled).ordered)).toEqual(namesOf(byRecency(run).ordered))
        },
      ),
    )
  })
})

describe('what must still be read', () => {
  const run = [checkpoint('a', { meta: { unixtime: 1, epoch: 1 }, size: null })]
  const untimed = [checkpoint('a', { meta: { loss: 1 }, size: null })]

  it.each([
    ['nothing for metas', run, ['loss', 'epoch', 'time', 'age'], false, false],
    ['sizes', run, ['size'], true, false],
    ['steps', run, ['step'], false, true],
    ['steps and times for the order of recency', untimed, [], true, true],
    ['times for ages', [checkpoint('a', { meta: { step: 1 } })], ['age'], true, false],
  ])('is %s', (_, checkpoints, names, measure, complete) => {
    expect(needsMeasure(checkpoints, names)).toBe(measure)
    expect(needsComplete(checkpoints, names)).toBe(complete)
  })
})
