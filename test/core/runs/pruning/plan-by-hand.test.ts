import { describe, expect, it } from 'vitest'
import { whyLocked, withChoices, type ByHand } from '../../../../src/core/runs/pruning/plan-by-hand.js'
import type { KeepCode, RetentionPlan } from '../../../../src/core/choosing/retention/index.js'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { checkpoint } from '../../checkpoints.js'

const [e, d, c, b, a] = [
  checkpoint('e'),
  checkpoint('d'),
  checkpoint('c'),
  checkpoint('b', { sameAs: 'c' }),
  checkpoint('a'),
] as const
const ordered = [e, d, c, b, a]

const kept = (one: Checkpoint, ...codes: KeepCode[]) => ({
  checkpoint: one,
  reasons: codes.map((code) => ({ code, text: code })),
})
const gone = (one: Checkpoint) => ({
  checkpoint: one,
  reason: { code: 'surplus' as const, text: 'surplus' },
})

/** `e` is protected, `d` is kept by the policy; `b` is another name of `c`. */
const plan: RetentionPlan = {
  keep: [kept(e, 'newest', 'keep'), kept(d, 'keep')],
  remove: [gone(c), gone(b), gone(a)],
  missingBytes: 0,
}

function chosen(byHand: Readonly<Record<string, 'stays' | 'goes'>>, allowEmpty = false): string {
  const choices: ByHand = new Map(Object.entries(byHand).map(([name, what]) => [`/run/${name}`, what]))
  const { keep, remove } = withChoices(plan, ordered, choices, allowEmpty)
  return `${keep.map(({ checkpoint: { name } }) => name).join('')}|${remove.map(({ checkpoint: { name } }) => name).join('')}`
}

describe('a plan changed by hand', () => {
  it.each([
    ['is as it was without a choice', {}, 'ed|cba'],
    ['keeps what was to go', { a: 'stays' }, 'eda|cb'],
    ['lets go what the policy keeps', { d: 'goes' }, 'e|dcba'],
    ['never lets go what is protected', { e: 'goes' }, 'ed|cba'],
    ['treats all names of one state alike', { c: 'stays' }, 'edcb|a'],
    ['takes no choice of another name by itself', { b: 'stays' }, 'ed|cba'],
    ['takes all choices together', { a: 'stays', d: 'goes', e: 'goes' }, 'ea|dcb'],
  ] as const)('%s', (_, byHand, expected) => {
    expect(chosen(byHand)).toBe(expected)
  })

  it('is refused where nothing would stay', () => {
    const bare: RetentionPlan = { ...plan, keep: [kept(d, 'keep')], remove: [gone(a)] }
    const choices: ByHand = new Map([['/run/d', 'goes']])
    expect(() => withChoices(bare, ordered, choices, false)).toThrow(/would remove all 2/)
    expect(withChoices(bare, ordered, choices, true).keep).toEqual([])
  })

  it('says why one is locked', () => {
    expect(whyLocked(kept(e, 'keep', 'pinned'))).toBe('pinned')
    expect(whyLocked(kept(e, 'keep', 'rule', 'young', 'unselected', 'unranked', 'space', 'chosen'))).toBeNull()
    for (const code of [
      'only',
      'pointer',
      'needed',
      'impossible',
      'unfinished',
      'damaged',
      'unreadable',
      'saved',
    ] as const)
      expect(whyLocked(kept(e, code))).toBe(code)
  })
})
