import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { healthFrom, type Checkpoint } from '../../../../src/core/checkpoint.js'
import { CkptError } from '../../../../src/core/errors.js'
import {
  plan,
  rules,
  type RetentionPlan,
  type Policy,
  type Protections,
  type Rule,
  type RuleContext,
} from '../../../../src/core/choosing/retention/index.js'
import { rank, scopeOf } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint, damaged, namesOf } from '../../checkpoints.js'

const now = 100
const context: RuleContext = { now, scopeOf: (one) => scopeOf(one, now), utcOffset: () => 0 }

/** Newest first: ep5 … ep1, with the best WER at ep2. */
const run = [5, 4, 3, 2, 1].map((epoch) =>
  checkpoint(`ep${epoch}`, { meta: { epoch, unixtime: epoch * 10, WER: Math.abs(epoch - 2) } }),
)

function recency(checkpoints: readonly Checkpoint[], named = false) {
  return { label: 'recency', named, ranked: checkpoints }
}

function lowest(key: string, checkpoints: readonly Checkpoint[]) {
  return { label: `--min ${key}`, named: true, ranked: rank(checkpoints, { kind: 'min', key }, now) }
}

async function rule(flag: string, value = ''): Promise<Rule> {
  const kind = rules.find((one) => one.flag === flag)
  if (kind === undefined) throw new Error(`no rule ${flag}`)
  return kind.parse(value)
}

interface Options {
  readonly checkpoints?: readonly Checkpoint[]
  readonly protections?: Protections | null
  readonly healthKnown?: boolean
}

function planFor(policy: Partial<Policy>, { checkpoints = run, protections = null, healthKnown = true }: Options = {}) {
  const orders = policy.orders ?? [recency(checkpoints)]
  return plan({ checkpoints, policy: { ...policy, orders }, context, healthKnown, protections })
}

function kept({ keep }: RetentionPlan): string[] {
  return keep.map(({ checkpoint: { name }, reasons }) => `${name}: ${reasons.map((one) => one.code).join(' ')}`)
}

function removed({ remove }: RetentionPlan): string[] {
  return remove.map(({ checkpoint: { name }, reason }) => `${name}: ${reason.code}`)
}

function refusal(make: () => unknown): CkptError {
  try {
    make()
  } catch (error) {
    if (error instanceof CkptError) return error
  }
  throw new Error('not refused')
}

describe('a plan', () => {
  it('keeps the best N of each order and removes the rest of their union', () => {
    const answer = planFor({ keep: 1, orders: [recency(run), lowest('WER', run)] })
    expect(kept(answer)).toEqual(['ep5: keep', 'ep2: keep'])
    expect(removed(answer)).toEqual(['ep4: surplus', 'ep3: surplus', 'ep1: surplus'])
    expect(answer.keep[1]?.reasons).toEqual([{ code: 'keep', text: 'best by --min WER' }])
  })

  it('says of what goes without an order what it is that the policy asks for', async () => {
    const reasonFor = (policy: Partial<Policy>) => {
      const answer = planFor({ allowEmpty: true, ...policy })
      return [...new Set(answer.remove.map(({ reason }) => `${reason.code}: ${reason.text}`))]
    }
    const keepEvery = await rule('keep-every', 'epoch=5')
    const keepFirst = await rule('keep-first')
    expect(reasonFor({ olderThan: 60 })).toEqual(['selected: older than --older-than asks for'])
    expect(reasonFor({ selected: new Set(run.slice(2)), olderThan: 60 })).toEqual([
      'selected: selected by --where; older than --older-than asks for',
    ])
    expect(reasonFor({ rules: [keepEvery, keepFirst] })).toEqual([
      'selected: not kept by --keep-every epoch=5, --keep-first',
    ])
    expect(reasonFor({ keep: 2, orders: [] })).toEqual(['selected: there is no order to keep it by'])
  })

  it('keeps one of each order where --keep is left out and an order is named', () => {
    expect(kept(planFor({ orders: [recency(run), lowest('WER', run)] }))).toEqual(['ep5: keep', 'ep2: keep'])
  })

  it('keeps what is in none of the orders', () => {
    const checkpoints = [checkpoint('no WER', { meta: { unixtime: 60 } }), ...run]
    const answer = planFor({ keep: 1, orders: [lowest('WER', checkpoints)] }, { checkpoints })
    expect(kept(answer)).toEqual(['no WER: unranked', 'ep2: keep'])
  })

  it('takes everything selected with no order at all', () => {
    expect(removed(planFor({ keep: 2, orders: [], allowEmpty: true }))).toHaveLength(5)
  })

  it('leaves what is not selected, and gives it no place', () => {
    const chosen = run.slice(2)
    const answer = planFor({ keep: 1, selected: new Set(chosen), orders: [recency(chosen)] })
    expect(kept(answer)).toEqual(['ep5: unselected', 'ep4: unselected', 'ep3: keep'])
  })

  it('of a filter alone removes what it selects', () => {
    const answer = planFor({ selected: new Set(run.slice(3)) })
    expect(removed(answer)).toEqual(['ep2: selected', 'ep1: selected'])
  })

  it('of an age alone removes what is older, and keeps what has no time', () => {
    const checkpoints = [...run, checkpoint('timeless')]
    const answer = planFor({ olderThan: 75 }, { checkpoints })
    expect(removed(answer)).toEqual(['ep2: selected', 'ep1: selected'])
    expect(kept(answer)).toContain('timeless: young')
  })

  it('of keep-rules alone removes what none rescues', async () => {
    const answer = planFor({ rules: [await rule('keep-every', 'epoch=2'), await rule('keep-first')] })
    expect(kept(answer)).toEqual(['ep4: rule', 'ep2: rule', 'ep1: rule'])
    expect(answer.keep[0]?.reasons[0]?.text).toBe('epoch is a multiple of 2 (--keep-every epoch=2)')
  })

  it('for no checkpoints is empty', () => {
    expect(planFor({ keep: 1 }, { checkpoints: [] })).toEqual({ keep: [], remove: [], missingBytes: 0 })
  })

  it('that would leave nothing is refused, unless that is allowed', () => {
    const error = refusal(() => planFor({ keep: 0 }))
    expect([error.code, error.exitStatus, error.message]).toEqual(['refused', 5, 'this would remove all 5 checkpoints'])
    expect(removed(planFor({ keep: 0, allowEmpty: true }))).toHaveLength(5)
  })

  it('of a policy that names nothing is refused', () => {
    const error = refusal(() => planFor({}))
    expect([error.code, error.exitStatus]).toEqual(['refused', 5])
  })

  it.each([-1, 1.5, NaN, Infinity])('of --keep %s is a mistake', (keep) => {
    expect(refusal(() => planFor({ keep })).code).toBe('usage')
  })
})

describe('damage', () => {
  const hurt = run.map((one, index) => (index === 0 ? { ...one, health: damaged('corrupt') } : one))

  it('takes no place and stays', () => {
    const answer = planFor({ keep: 1 }, { checkpoints: hurt })
    expect(kept(answer)).toEqual(['ep5: damaged', 'ep4: keep'])
    expect(answer.keep[0]?.reasons[0]?.text).toBe('corrupt: model.ckpt: 0 bytes')
  })

  it('takes no place under a keep-rule either', async () => {
    const answer = planFor({ rules: [await rule('keep-daily', '1')] }, { checkpoints: hurt })
    expect(kept(answer)).toEqual(['ep5: damaged', 'ep4: rule'])
  })

  it('goes when asked for, and alone when nothing else is', () => {
    expect(removed(planFor({ removeDamaged: true }, { checkpoints: hurt }))).toEqual(['ep5: damaged'])
    expect(removed(planFor({ removeDamaged: true, keep: 3 }, { checkpoints: hurt }))).toEqual([
      'ep5: damaged',
      'ep1: surplus',
    ])
  })

  it('is not considered where health is not known', () => {
    expect(kept(planFor({ keep: 1 }, { checkpoints: hurt, healthKnown: false }))).toEqual(['ep5: keep'])
  })
})

describe('protection', () => {
  const nothing: Protections = {}

  it('keeps the newest whole one', () => {
    const checkpoints = run.map((one, index) => (index === 0 ? { ...one, health: damaged('partial') } : one))
    const answer = planFor({ keep: 0, removeDamaged: true }, { checkpoints, protections: nothing })
    expect(kept(answer)).toEqual(['ep4: newest'])
  })

  it('keeps the newest of all where none is whole', () => {
    const checkpoints = run.map((one) => ({ ...one, health: damaged('corrupt') }))
    expect(kept(planFor({ removeDamaged: true }, { checkpoints, protections: nothing }))).toEqual([
      'ep5: newest damaged',
    ])
  })

  it('keeps what is named though it is damaged, and tells both', () => {
    const named = run.map((one, index) => ({
      ...one,
      ...(index === 1 ? { health: damaged('corrupt') } : {}),
      pointsTo: [{ label: 'last', name: 'ep4' }],
    }))
    expect(kept(planFor({ removeDamaged: true }, { checkpoints: named, protections: nothing }))).toContain(
      'ep4: pointer damaged',
    )
  })

  it('keeps the only one left', () => {
    expect(kept(planFor({ keep: 0 }, { checkpoints: run.slice(0, 1), protections: nothing }))).toEqual(['ep5: only'])
  })

  it('keeps what is named by one that was saved with the newest, which names none itself', () => {
    const [newest, ...older] = run
    const published = { ...newest, name: 'ep5-8ce7b8e0', path: '/run/ep5-8ce7b8e0' } as Checkpoint
    const named = {
      ...newest,
      step: 40,
      pointsTo: [{ label: 'best_ckpt', name: 'ep2', purpose: 'best' }],
    } as Checkpoint
    const answer = planFor({ keep: 1 }, { checkpoints: [published, named, ...older], protections: nothing })
    expect(kept(answer)).toContain('ep2: pointer')
  })

  it('keeps what is named by the newest that can name any, where weights alone came after it', () => {
    const names = (name: string) => ({ pointsTo: [{ label: 'best_model_path', name, purpose: 'best' as const }] })
    const checkpoints = run.map((one, index) => ({
      ...one,
      ...(index === 0 ? { resumable: false } : names(index === 1 ? 'ep2' : 'ep1')),
    }))
    const answer = planFor({ keep: 1 }, { checkpoints, protections: nothing })
    expect(kept(answer)).toEqual(['ep5: newest keep', 'ep4: newest', 'ep2: pointer'])
  })

  it('keeps what the newest readable bookkeeping points to, and not what an older one did', () => {
    const points = (name: string) => ({ pointsTo: [{ label: 'best_model_checkpoint', name }] })
    const checkpoints = [
      checkpoint('ep6', { health: damaged('corrupt'), ...points('ep4') }),
      ...run.map((one, index) => ({ ...one, ...points(index === 0 ? 'ep1' : 'ep3') })),
    ]
    const answer = planFor({ keep: 0 }, { checkpoints, protections: nothing })
    expect(kept(answer)).toEqual(['ep6: damaged', 'ep5: newest', 'ep1: pointer'])
    expect(answer.keep[2]?.reasons[0]?.text).toBe('best_model_checkpoint names it')
  })

  it('keeps what is pinned, impossible, or being written; what is unfinished and written no more is damaged', () => {
    const checkpoints = run.map((one, index) => (index === 3 ? { ...one, health: damaged('unfinished') } : one))
    const answer = planFor(
      { keep: 0, removeDamaged: true },
      {
        checkpoints,
        protections: {
          pinned: new Map([['/run/ep4', 'the paper']]),
          impossible: new Map([['/run/ep3', ['WER']]]),
          changing: new Set(['/run/ep1', '/run/ep2']),
        },
      },
    )
    expect(kept(answer)).toEqual([
      'ep5: newest',
      'ep4: pinned',
      'ep3: impossible',
      'ep2: unfinished',
      'ep1: unfinished',
    ])
    const abandoned = planFor({ keep: 1, removeDamaged: true }, { checkpoints })
    expect(abandoned.remove[1]).toMatchObject({ checkpoint: { name: 'ep3' } })
    expect(abandoned.remove.map(({ reason }) => reason.code)).toContain('damaged')
    expect(answer.keep.slice(1, 3).map(({ reasons }) => reasons[0]?.text)).toEqual([
      'pinned: the paper',
      'WER: 1 is not a measurement: an averaged model?',
    ])
  })
})

describe('a space target', () => {
  const sizeOf = () => 100

  it('takes the oldest until all that stays fits', () => {
    const answer = planFor({ space: { maxTotal: 350, sizeOf } }, { protections: {} })
    expect(removed(answer)).toEqual(['ep2: space', 'ep1: space'])
    expect(kept(answer)).toEqual(['ep5: newest', 'ep4: space', 'ep3: space'])
  })

  it('counts what is free already', () => {
    expect(removed(planFor({ space: { minFree: { bytes: 250, free: 100 }, sizeOf } }))).toEqual([
      'ep2: space',
      'ep1: space',
    ])
  })

  it('takes what a rule rescued only when it must, and never what an order keeps or a protection', async () => {
    const policy = {
      keep: 1,
      orders: [recency(run), lowest('WER', run)],
      rules: [await rule('keep-every', 'epoch=1')],
    }
    const protections = { pinned: new Map([['/run/ep1', '']]) }
    const enough = planFor({ ...policy, space: { maxTotal: 400, sizeOf } }, { protections })
    expect([removed(enough), enough.missingBytes]).toEqual([['ep3: space'], 0])
    const tooMuch = planFor({ ...policy, space: { maxTotal: 100, sizeOf } }, { protections })
    expect([removed(tooMuch), tooMuch.missingBytes]).toEqual([['ep4: space', 'ep3: space'], 200])
  })

  it('is narrowed by a filter, an age or a rule, which then make nothing go by themselves', async () => {
    const space = { maxTotal: 400, sizeOf }
    expect(removed(planFor({ space, selected: new Set(run.slice(0, 4)) }))).toEqual(['ep2: space'])
    expect(removed(planFor({ space, olderThan: 55 }))).toEqual(['ep1: space'])
    expect(removed(planFor({ space, rules: [await rule('keep-first')] }))).toEqual(['ep1: space'])
  })
})

describe('by law', () => {
  const one = fc.record({
    WER: fc.option(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(NaN)), { nil: undefined }),
    epoch: fc.integer({ min: 0, max: 12 }),
    age: fc.integer({ min: 0, max: 5 }),
    size: fc.integer({ min: 0, max: 9 }),
    grade: fc.constantFrom('whole', 'whole', 'whole', 'partial', 'corrupt', 'unfinished'),
    selected: fc.boolean(),
    pinned: fc.integer({ min: 0, max: 9 }),
    pointsTo: fc.integer({ min: 0, max: 9 }),
  })
  const ruleTexts = [
    ['keep-every', 'epoch=3'],
    ['keep-within', '3d'],
    ['keep-daily', '2'],
    ['keep-weekly', '1'],
    ['keep-where', 'WER > 2'],
    ['keep-first', ''],
  ] as const
  const shape = fc.record({
    run: fc.array(one, { maxLength: 8 }),
    keep: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    byWer: fc.boolean(),
    keepRecent: fc.boolean(),
    filtered: fc.boolean(),
    ruleIndexes: fc.uniqueArray(fc.nat(ruleTexts.length - 1)),
    olderThan: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    maxTotal: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
    removeDamaged: fc.boolean(),
    healthKnown: fc.boolean(),
    protect: fc.boolean(),
  })
  type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never

  const day = 86_400
  const lawNow = 100 * day
  const lawContext: RuleContext = { now: lawNow, scopeOf: (each) => scopeOf(each, lawNow), utcOffset: () => 0 }

  interface Made {
    readonly checkpoints: readonly Checkpoint[]
    readonly selected: ReadonlySet<Checkpoint>
    readonly pins: ReadonlyMap<string, string>
    plan(change?: Partial<Shape>, pins?: ReadonlyMap<string, string>): RetentionPlan | CkptError
  }

  async function make(given: Shape): Promise<Made> {
    const checkpoints = given.run.map((facts, index) =>
      checkpoint(`c${index}`, {
        meta: { epoch: facts.epoch, ...(facts.WER === undefined ? {} : { WER: facts.WER }) },
        unixtime: lawNow - facts.age * day - index,
        size: facts.size,
        health: facts.grade === 'whole' ? healthFrom('quick', []) : damaged(facts.grade as 'partial'),
        pointsTo: [{ label: 'best', name: `c${facts.pointsTo}` }],
      }),
    )
    const allRules = await Promise.all(ruleTexts.map(([flag, value]) => rule(flag, value)))
    const chosen = checkpoints.filter((_, index) => given.run[index]?.selected === true)
    const pins = new Map(checkpoints.filter((_, index) => given.run[index]?.pinned === 0).map(({ path }) => [path, '']))
    const planWith = (change: Partial<Shape> = {}, pinned: ReadonlyMap<string, string> = pins) => {
      const asked = { ...given, ...change }
      const pool = asked.filtered ? chosen : checkpoints
      const policy: Policy = {
        keep: asked.keep,
        orders: [...(asked.byWer ? [lowest('WER', pool)] : []), ...(asked.keepRecent ? [recency(pool)] : [])],
        selected: asked.filtered ? new Set(chosen) : undefined,
        rules: allRules.filter((_, index) => asked.ruleIndexes.includes(index)),
        olderThan: asked.olderThan === undefined ? undefined : asked.olderThan * day,
        space: { maxTotal: asked.maxTotal, sizeOf: (each) => each.size ?? 0 },
        removeDamaged: asked.removeDamaged,
        allowEmpty: true,
      }
      const protections = asked.protect ? { pinned } : null
      try {
        return plan({ checkpoints, policy, context: lawContext, healthKnown: asked.healthKnown, protections })
      } catch (error) {
        if (error instanceof CkptError && error.code === 'refused') return error
        throw error
      }
    }
    return { checkpoints, selected: new Set(chosen), pins, plan: planWith }
  }

  function goers(answer: RetentionPlan): string[] {
    return namesOf(answer.remove.map((each) => each.checkpoint))
  }

  /** Checks a law on plans that were not refused. */
  async function holds(check: (made: Made, answer: RetentionPlan, given: Shape) => void): Promise<void> {
    await fc.assert(
      fc.asyncProperty(shape, async (given) => {
        const made = await make(given)
        const answer = made.plan()
        if (!(answer instanceof CkptError)) check(made, answer, given)
      }),
      { numRuns: 500 },
    )
  }

  function expectNoMore(answer: RetentionPlan, further: RetentionPlan | CkptError): void {
    if (further instanceof CkptError) throw further
    expect(goers(answer)).toEqual(expect.arrayContaining(goers(further)))
  }

  it('a plan partitions its input, in its order, and gives a reason for each', () =>
    holds(({ checkpoints }, { keep, remove }) => {
      const places = new Map(checkpoints.map((each, index) => [each, index]))
      const all = [...keep, ...remove].map((each) => each.checkpoint)
      expect(new Set(all)).toEqual(new Set(checkpoints))
      expect(all).toHaveLength(checkpoints.length)
      for (const part of [keep, remove]) {
        const order = part.map((each) => places.get(each.checkpoint) ?? -1)
        expect(order).toEqual(order.toSorted((a, b) => a - b))
      }
      expect(keep.every(({ reasons }) => reasons.length > 0)).toBe(true)
    }))

  it('a further keep-rule never removes more', () =>
    holds((made, _, given) => {
      const answer = made.plan({ maxTotal: undefined })
      if (answer instanceof CkptError) return
      for (const index of ruleTexts.keys())
        expectNoMore(answer, made.plan({ maxTotal: undefined, ruleIndexes: [...given.ruleIndexes, index] }))
    }))

  it('a further pin, or protection at all, never removes more', () =>
    holds((made) => {
      const bare = made.plan({ maxTotal: undefined, protect: false })
      const answer = made.plan({ maxTotal: undefined, protect: true })
      if (bare instanceof CkptError || answer instanceof CkptError) return
      expectNoMore(bare, answer)
      for (const { path } of made.checkpoints)
        expectNoMore(answer, made.plan({ maxTotal: undefined, protect: true }, new Map([...made.pins, [path, '']])))
    }))

  it('an age only narrows what goes', () =>
    holds((made, _, given) => {
      const answer = made.plan({ olderThan: undefined, maxTotal: undefined })
      if (!(answer instanceof CkptError))
        expectNoMore(answer, made.plan({ maxTotal: undefined, olderThan: given.olderThan ?? 2 }))
    }))

  it('what is protected, not selected or not old enough is never removed', () =>
    holds((made, answer, given) => {
      for (const { checkpoint: gone } of answer.remove) {
        if (given.filtered) expect(made.selected.has(gone)).toBe(true)
        if (given.olderThan !== undefined) expect(lawNow - (gone.unixtime ?? 0)).toBeGreaterThan(given.olderThan * day)
        if (given.healthKnown && !given.removeDamaged) expect(gone.health.grade).toBe('whole')
        if (!given.protect) continue
        expect(made.pins.has(gone.path)).toBe(false)
        expect(made.checkpoints[0]?.pointsTo.some(({ name }) => name === gone.name)).toBe(false)
      }
      if (given.protect && made.checkpoints.length > 0) expect(answer.keep.length).toBeGreaterThan(0)
    }))

  it('a space target takes only what would be a candidate without rules, oldest first, and no more than it needs', () =>
    holds((made, answer, given) => {
      if (given.maxTotal === undefined) return
      const takes = answer.remove.filter(({ reason }) => reason.code === 'space').map((each) => each.checkpoint)
      const stays = answer.keep.reduce((sum, { checkpoint: { size } }) => sum + (size ?? 0), 0)
      const newestTaken = takes[0]
      if (newestTaken !== undefined) expect(stays + (newestTaken.size ?? 0)).toBeGreaterThan(given.maxTotal)
      expect(answer.missingBytes).toBe(Math.max(0, stays - given.maxTotal))
      const ranked = given.keep !== undefined || given.byWer
      if (!ranked) return
      const withoutRules = made.plan({ ruleIndexes: [], maxTotal: undefined })
      if (!(withoutRules instanceof CkptError)) expectNoMore(withoutRules, answer)
    }))
})

describe('a copy of a checkpoint under another name', () => {
  const copyOf = (name: string, original: Checkpoint, facts: Partial<Checkpoint> = {}) =>
    ({ ...original, name, path: `/run/${name}`, sameAs: original.name, ...facts }) satisfies Checkpoint
  const [ep5, ep4, ...older] = run
  if (ep5 === undefined || ep4 === undefined) throw new Error('there are five')
  const last = copyOf('last', ep5)

  it('takes no place, and stays with what it is a copy of', () => {
    const answer = planFor({ keep: 2 }, { checkpoints: [ep5, last, ep4, ...older] })
    expect(kept(answer)).toEqual(['ep5: keep', 'last: same', 'ep4: keep'])
  })

  it('goes with it', () => {
    const copy = copyOf('best', ep4)
    const answer = planFor({ keep: 1 }, { checkpoints: [ep5, ep4, copy] })
    expect(removed(answer)).toEqual(['ep4: surplus', 'best: same'])
  })

  it('stays by itself where something asks for its name, and a pin on it holds for both', () => {
    const pointing = { ...ep5, pointsTo: [{ label: 'x', name: 'best' }] }
    const copy = copyOf('best', ep4)
    const checkpoints = [pointing, ep4, copy, ...older]
    const named = planFor({ keep: 1 }, { checkpoints, protections: {} })
    expect(kept(named)).toEqual(['ep5: newest keep', 'best: pointer'])
    const pinned = planFor({ keep: 1 }, { checkpoints, protections: { pinned: new Map([[copy.path, '']]) } })
    expect(kept(pinned)).toEqual(['ep5: newest keep', 'ep4: pinned', 'best: pointer pinned same'])
  })

  it('is a checkpoint of its own where the other is damaged, or is not there', () => {
    const hurt = { ...ep5, health: damaged('corrupt') }
    const answer = planFor({ keep: 1 }, { checkpoints: [hurt, last, ep4] })
    expect(kept(answer)).toEqual(['ep5: damaged', 'last: keep'])
    expect(kept(planFor({ keep: 1 }, { checkpoints: [last, ep4] }))).toEqual(['last: keep'])
  })
})
