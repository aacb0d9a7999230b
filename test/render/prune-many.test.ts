/** What is said once many runs were pruned. */
import { expect, it } from 'vitest'
import { renderManyDone, renderManyPlans } from '../../src/render/prune-many.js'

type Done = Parameters<typeof renderManyDone>[0][number]

function done(count: number): Done {
  const removed = Array.from({ length: count }, () => ({}))
  return { run: { path: '/run', checkpoints: [] }, removal: { removed, freedBytes: 1000 * count } } as unknown as Done
}

const plain = { colours: false, width: Number.POSITIVE_INFINITY } as Parameters<typeof renderManyDone>[2]

it('counts the runs that lost something, and tells of no space where nothing went', () => {
  expect(renderManyDone([done(2), done(0), done(1)], true, plain)).toEqual([
    'moved 3 checkpoints of 2 runs to the trash; ckpt trash empty frees the space',
  ])
  expect(renderManyDone([done(1), done(0)], false, plain)).toEqual(['removed 1 checkpoint of 1 run, 1 kB freed'])
  expect(renderManyDone([done(0), done(0)], true, plain)).toEqual(['nothing was moved'])
  expect(renderManyDone([done(0)], false, plain)).toEqual(['nothing was removed'])
})

it('sums up no plans where every run is left alone', async () => {
  const leftAlone = ['/exp/a', '/exp/b'].map((run) => ({ run, reason: 'a job runs in it' }))
  const view = { root: '/exp', now: 0, all: false, output: plain } as unknown as Parameters<typeof renderManyPlans>[1]
  const lines = await renderManyPlans({ planned: [], leftAlone }, view)
  expect(lines.at(-1)).toBe('nothing to do: 2 runs are left alone')
})

it('folds what is left alone under its name where a terminal is too narrow', async () => {
  const leftAlone = [{ run: '/exp/a', reason: 'a job of ckpt run lives in it, process 4711 on node17' }]
  const output = { colours: false, isTerminal: true, width: 50 }
  const view = { root: '/exp', now: 0, all: false, output } as unknown as Parameters<typeof renderManyPlans>[1]
  expect((await renderManyPlans({ planned: [], leftAlone }, view)).slice(0, 2)).toEqual([
    'left alone: a: a job of ckpt run lives in it,',
    '            process 4711 on node17',
  ])
})
