import { describe, expect, it } from 'vitest'
import { PlanEditor } from '../../../src/cli/questions/plan-editor.js'
import type { PrunePlan } from '../../../src/core/runs/index.js'
import type { KeepCode } from '../../../src/core/choosing/retention/index.js'
import { checkpoint } from '../../core/checkpoints.js'

const one = (epoch: number, more = {}) => checkpoint(`ep${epoch}`, { meta: { epoch, unixtime: epoch * 100 }, ...more })

function planOf(keep: readonly [number, KeepCode][], remove: readonly number[]): PrunePlan {
  return {
    keep: keep.map(([epoch, code]) => ({ checkpoint: one(epoch), reasons: [{ code, text: `because ${code}` }] })),
    remove: remove.map((epoch) => ({ checkpoint: one(epoch), reason: { code: 'surplus', text: 'surplus' } })),
    missingBytes: 0,
    fingerprints: new Map(),
    freedBytes: 0,
    keptBytes: 0,
    warnings: [],
    pointers: [],
    proof: null,
  }
}

const plan = planOf(
  [
    [5, 'newest'],
    [4, 'keep'],
  ],
  [3, 2, 1],
)

function pressed(...keys: string[]) {
  const editor = new PlanEditor(plan, new Map(), false)
  const ends = keys.map((key) => editor.press(key, 2))
  return {
    editor,
    end: ends.at(-1),
    going: editor.rows.filter(({ goes }) => goes).map(({ checkpoint: { name } }) => name),
  }
}

describe('the list of a plan', () => {
  it('has all checkpoints, the newest first, each with what is to become of it and why', () => {
    expect(pressed().editor.rows.map(({ checkpoint: { name }, goes, why }) => [name, goes, why])).toEqual([
      ['ep5', false, 'because newest'],
      ['ep4', false, 'because keep'],
      ['ep3', true, 'surplus'],
      ['ep2', true, 'surplus'],
      ['ep1', true, 'surplus'],
    ])
  })

  it('keeps another one, lets one go, and takes it back', () => {
    expect(pressed('down', 'down', 'space').going).toEqual(['ep2', 'ep1'])
    expect(pressed('down', 'space').going).toEqual(['ep4', 'ep3', 'ep2', 'ep1'])
    expect(pressed('down', 'space', 'space').going).toEqual(['ep3', 'ep2', 'ep1'])
    expect(pressed('down', 'space').editor.rows[1]?.why).toBe('let go by hand')
  })

  it('does not let go what is protected, and says why', () => {
    const { editor, going } = pressed('space')
    expect(going).toEqual(['ep3', 'ep2', 'ep1'])
    expect(editor.message).toBe('ep5 stays: because newest')
  })

  it('does not let the last one go, but with --allow-empty', () => {
    const bare = planOf([[2, 'keep']], [1])
    const careful = new PlanEditor(bare, new Map(), false)
    careful.press('space', 5)
    expect([careful.byHand.size, careful.message]).toEqual([0, 'ep2 stays: it is the last one (--allow-empty)'])
    const bold = new PlanEditor(bare, new Map(), true)
    bold.press('space', 5)
    expect([...bold.byHand]).toEqual([['/run/ep2', 'goes']])
  })

  it('is moved through by line, by page and to its ends, and no further', () => {
    expect(pressed('up').editor.cursor).toBe(0)
    expect(pressed('pagedown').editor.cursor).toBe(2)
    expect(pressed('end', 'down').editor.cursor).toBe(4)
    expect(pressed('end', 'pageup').editor.cursor).toBe(2)
    expect(pressed('end', 'home').editor.cursor).toBe(0)
  })

  it('shows one, and any key leads back without doing anything else', () => {
    expect(pressed('s').editor.isShowing).toBe(true)
    const { editor, end, going } = pressed('down', 's', 'space')
    expect([editor.isShowing, end, going]).toEqual([false, null, ['ep3', 'ep2', 'ep1']])
  })

  it.each([
    ['return', 'done'],
    ['q', 'cancelled'],
    ['escape', 'cancelled'],
    ['ctrl-c', 'cancelled'],
    ['x', null],
  ])('ends at %s: %s', (key, expected) => {
    expect(pressed(key).end).toBe(expected)
  })

  it('another name goes and stays with its checkpoint', () => {
    const own = one(3)
    const copy = one(3, { name: 'last', path: '/run/last', sameAs: 'ep3' })
    const base = planOf([[5, 'newest']], [])
    const surplus = { code: 'surplus' as const, text: 'surplus' }
    const editor = new PlanEditor(
      { ...base, remove: [own, copy].map((each) => ({ checkpoint: each, reason: surplus })) },
      new Map(),
      false,
    )
    editor.press('end', 9)
    editor.press('space', 9)
    expect(editor.message).toContain('the same state')
    editor.press('up', 9)
    editor.press('space', 9)
    expect(editor.rows.map(({ goes }) => goes)).toEqual([false, false, false])
  })
})
