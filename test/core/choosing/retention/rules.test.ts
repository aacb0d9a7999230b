import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { parseAge, parseCount, rules, type RuleContext } from '../../../../src/core/choosing/retention/index.js'
import { scopeOf } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint } from '../../checkpoints.js'

const day = 86_400
const now = Date.UTC(2026, 10, 23, 12) / 1000

function context(utcOffset = 0): RuleContext {
  return { now, scopeOf: (one) => scopeOf(one, now), utcOffset: () => utcOffset }
}

function at(iso: string): Checkpoint {
  return checkpoint(iso, { meta: { unixtime: Date.parse(`${iso}Z`) / 1000 } })
}

async function rescued(flag: string, value: string, pool: readonly Checkpoint[], utcOffset = 0) {
  const kind = rules.find((rule) => rule.flag === flag)
  if (kind === undefined) throw new Error(`no rule ${flag}`)
  const rule = await kind.parse(value)
  return [...rule.rescue(pool, context(utcOffset))].map(([{ name }, reason]) => `${name}: ${reason}`)
}

const epochs = [12, 11, 10, 9, 5, 0].map((epoch) => checkpoint(`ep${epoch}`, { meta: { epoch } }))

describe('a keep-rule', () => {
  it('keep-every keeps the multiples', async () => {
    const reason = 'epoch is a multiple of 5'
    expect(await rescued('keep-every', 'epoch=5', epochs)).toEqual([
      `ep10: ${reason}`,
      `ep5: ${reason}`,
      `ep0: ${reason}`,
    ])
  })

  it('keep-every keeps the nearest to each multiple where none hits it, and says so', async () => {
    const pool = [4.9976, 4, 2.9992, 1.9984, 0.9976].map((epoch) => checkpoint(`ep${epoch}`, { meta: { epoch } }))
    expect(await rescued('keep-every', 'epoch=1', pool)).toEqual([
      'ep4: epoch is a multiple of 1',
      'ep4.9976: epoch 4.9976 is the nearest to 5',
      'ep2.9992: epoch 2.9992 is the nearest to 3',
      'ep1.9984: epoch 1.9984 is the nearest to 2',
      'ep0.9976: epoch 0.9976 is the nearest to 1',
    ])
    const steps = [1563, 1251, 938, 625, 312].map((step) => checkpoint(`s${step}`, { step }))
    expect((await rescued('keep-every', 'step=500', steps)).map((text) => text.split(':')[0])).toEqual([
      's1563',
      's938',
      's625',
    ])
  })

  it('keep-every keeps nothing for a multiple that the next save will come nearer to', async () => {
    const pool = [13, 12, 11, 10].map((epoch) => checkpoint(`ep${epoch}`, { meta: { epoch } }))
    expect(await rescued('keep-every', 'epoch=5', pool)).toEqual(['ep10: epoch is a multiple of 5'])
    const nearer = [13.998, 13, 12].map((epoch) => checkpoint(`ep${epoch}`, { meta: { epoch } }))
    expect(await rescued('keep-every', 'epoch=7', nearer)).toEqual(['ep13.998: epoch 13.998 is the nearest to 14'])
  })

  it('keep-every reads built-in names and exact big integers, and nothing but numbers', async () => {
    const pool = [
      checkpoint('a', { step: 2000 }),
      checkpoint('b', { meta: { step: 9007199254741000n } }),
      checkpoint('c', { meta: { step: '1000' } }),
      checkpoint('d', {}),
    ]
    expect(await rescued('keep-every', 'step=1_000', pool)).toHaveLength(2)
  })

  it('keep-within keeps the young, and those whose age is not known', async () => {
    const pool = [
      checkpoint('new', { meta: { unixtime: now - day } }),
      checkpoint('edge', { modified: now - 2 * day }),
      checkpoint('old', { modified: now - 2 * day - 1 }),
      checkpoint('unknown'),
    ]
    expect(await rescued('keep-within', '2d', pool)).toEqual([
      'new: no older than 2d',
      'edge: no older than 2d',
      'unknown: its age is not known',
    ])
  })

  it('keep-daily keeps the newest of each of the last days that have any', async () => {
    const pool = [
      '2026-11-23T10:00',
      '2026-11-23T01:00',
      '2026-11-20T23:00',
      '2026-11-20T00:00',
      '2026-11-01T00:00',
    ].map(at)
    expect(await rescued('keep-daily', '2', pool)).toEqual([
      '2026-11-23T10:00: the newest of its day',
      '2026-11-20T23:00: the newest of its day',
    ])
  })

  it("keep-daily counts days in the user's zone", async () => {
    const pool = ['2026-11-23T01:00', '2026-11-22T23:30', '2026-11-22T10:00'].map(at)
    expect(await rescued('keep-daily', '9', pool)).toHaveLength(2)
    expect(await rescued('keep-daily', '9', pool, 3600)).toEqual([
      '2026-11-23T01:00: the newest of its day',
      '2026-11-22T10:00: the newest of its day',
    ])
  })

  it('keep-weekly begins weeks on Monday', async () => {
    // 2026-11-23 is a Monday.
    const pool = ['2026-11-23T00:00', '2026-11-22T23:59', '2026-11-16T00:00', '2026-11-15T23:59'].map(at)
    expect(await rescued('keep-weekly', '9', pool)).toEqual([
      '2026-11-23T00:00: the newest of its week',
      '2026-11-22T23:59: the newest of its week',
      '2026-11-15T23:59: the newest of its week',
    ])
  })

  it('keep-monthly goes by the calendar', async () => {
    const pool = ['2026-03-01T00:00', '2026-02-28T23:59', '2026-02-01T00:00', '2025-02-28T00:00'].map(at)
    expect(await rescued('keep-monthly', '9', pool)).toHaveLength(3)
  })

  it('keep-where keeps those for which the expression is true', async () => {
    expect(await rescued('keep-where', 'epoch > 10 and not loss', epochs)).toEqual([])
    expect(await rescued('keep-where', 'epoch > 11', epochs)).toEqual(['ep12: epoch > 11 is true'])
  })

  it('keep-first keeps the oldest', async () => {
    expect(await rescued('keep-first', '', epochs)).toEqual(['ep0: the oldest'])
    expect(await rescued('keep-first', '', [])).toEqual([])
  })

  it.each(rules.map((rule) => [rule.flag, rule] as const))(
    '%s rescues only out of what it is given',
    async (_, kind) => {
      const value = { 'KEY=N': 'epoch=1', DURATION: '1d', N: '3', EXPR: 'true' }[kind.value ?? ''] ?? ''
      const rule = await kind.parse(value)
      const found = [...rule.rescue(epochs, context()).keys()]
      expect(found.length).toBeGreaterThan(0)
      expect(found.every((one) => epochs.includes(one))).toBe(true)
      expect(rule.label.startsWith(`--${kind.flag}`)).toBe(true)
    },
  )

  it.each([
    ['keep-every', 'epoch', 'usage'],
    ['keep-every', 'epoch=0', 'usage'],
    ['keep-every', '=3', 'usage'],
    ['keep-every', 'epoch=x', 'usage'],
    ['keep-within', '2', 'usage'],
    ['keep-within', '2x', 'usage'],
    ['keep-daily', '0', 'usage'],
    ['keep-daily', '1.5', 'usage'],
    ['keep-monthly', '-1', 'usage'],
    ['keep-where', 'epoch <', 'bad-expression'],
  ])('%s %s is refused', async (flag, value, code) => {
    await expect(rescued(flag, value, [])).rejects.toMatchObject({ code, exitStatus: 2 })
  })
})

describe('a number in a flag', () => {
  it('is whole and not below the least', () => {
    expect(parseCount('keep', '0', 0)).toBe(0)
    for (const text of ['-1', '1.5', 'x', '', '1e3', '99999999999999999999'])
      expect(() => parseCount('keep', text, 0)).toThrow(/--keep takes a whole number from 0 up/)
  })

  it('of an age has a unit', () => {
    expect(parseAge('older-than', '1w')).toBe(7 * day)
    expect(() => parseAge('older-than', '7')).toThrow(/--older-than takes a duration/)
  })
})
