import { describe, expect, it } from 'vitest'
import type { MetaValue } from '../../../../src/core/checkpoint.js'
import { CkptError } from '../../../../src/core/errors.js'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import {
  bestOrder,
  monitoredKeys,
  bestPerMetric,
  describeUnknownKey,
  find,
  impossibleMetrics,
  rank,
  scopeOf,
  unknownKeys,
  varyingKeys,
} from '../../../../src/core/choosing/selection/index.js'
import { checkpoint, damaged, namesOf } from '../../checkpoints.js'

const now = 1000

describe('the scope of a checkpoint', () => {
  const one = checkpoint('CKPT+a', {
    meta: {
      unixtime: 400,
      name: 'in meta',
      size: 7,
      'a.b': 1,
      a: new Map<string, MetaValue>([
        ['b', 2],
        ['c', 3],
      ]),
      'eval.x': new Map([['y', 4]]),
      __proto__key: 5,
    },
    step: 12,
  })
  const scope = scopeOf(one, now)

  it.each<[string, MetaValue | undefined]>([
    ['name', 'CKPT+a'],
    ['path', '/run/CKPT+a'],
    ['time', 400],
    ['age', 600],
    ['size', 7],
    ['step', 12],
    ['epoch', undefined],
    ['layout', 'speechbrain'],
    ['health', 'whole'],
    ['files', ['model']],
    ['a.b', 1],
    ['a.c', 3],
    ['eval.x.y', 4],
    ['a.d', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
  ])('has %s', (name, value) => {
    expect(scope.get(name)).toEqual(value)
  })

  it('reads a meta key that a built-in name hides by meta["…"]', async () => {
    expect((await parseExpression('meta["name"]')).evaluate(scope)).toBe('in meta')
  })

  it('takes the age from the files where there is no unixtime', () => {
    expect(scopeOf(checkpoint('a', { modified: 900 }), now).get('age')).toBe(100)
  })
})

describe('a rank', () => {
  const values: [string, MetaValue][] = [
    ['two', 2],
    ['nan', NaN],
    ['true', true],
    ['text', '0'],
    ['null', null],
    ['huge', 9007199254740993n],
    ['less huge', 9007199254740992],
    ['again two', 2],
    ['minus', -Infinity],
  ]
  const run = values.map(([name, x]) => checkpoint(name, { meta: { x } }))

  it('puts the lowest first by min, NaN last, equals in the order of recency, and leaves out what is not a number', () => {
    expect(namesOf(rank(run, { kind: 'min', key: 'x' }, now))).toEqual([
      'minus',
      'true',
      'two',
      'again two',
      'less huge',
      'huge',
      'nan',
    ])
  })

  it('puts the highest first by max, NaN last', () => {
    expect(namesOf(rank(run, { kind: 'max', key: 'x' }, now))).toEqual([
      'huge',
      'less huge',
      'two',
      'again two',
      'true',
      'minus',
      'nan',
    ])
  })

  it('by an expression puts the highest first', async () => {
    const expression = await parseExpression('-abs(x - 2)')
    expect(namesOf(rank(run, { kind: 'by', expression }, now)).slice(0, 3)).toEqual(['two', 'again two', 'true'])
  })

  it('knows the built-in names, which a meta key overrules', () => {
    const small = checkpoint('small', { size: 1 })
    const large = checkpoint('large', { size: 2 })
    const said = checkpoint('said', { size: 0, meta: { size: 3 } })
    expect(namesOf(rank([small, large, said], { kind: 'max', key: 'size' }, now))).toEqual(['said', 'large', 'small'])
  })
})

describe('find', () => {
  const run = [1, 2, 3].map((epoch) => checkpoint(`ep${epoch}`, { meta: { unixtime: epoch, epoch, WER: 10 - epoch } }))

  it('gives the newest first, so many as asked for', () => {
    expect(namesOf(find(run, { count: 2 }, now).found)).toEqual(['ep3', 'ep2'])
  })

  it('filters, then ranks; all filters must hold', async () => {
    const where = [await parseExpression('epoch > 1'), await parseExpression('epoch < 3')]
    expect(namesOf(find(run, { where, order: { kind: 'min', key: 'WER' } }, now).found)).toEqual(['ep2'])
  })

  it('finds nothing by a key that none has', () => {
    expect(find(run, { order: { kind: 'min', key: 'CER' } }, now).found).toEqual([])
  })
})

describe('an unknown key', () => {
  const run = [checkpoint('a', { meta: { WER: 1, 'valid/loss': 2, epoch: 3, 'num-examples': 4 } })]

  it.each([
    ['wer', { name: 'wer', nearest: ['WER'] }, 'no checkpoint has "wer"; did you mean "WER"?'],
    [
      'valid_loss',
      { name: 'valid_loss', nearest: ['valid/loss'] },
      'no checkpoint has "valid_loss"; did you mean "valid/loss"?',
    ],
    ['heatlh', { name: 'heatlh', nearest: ['health'] }, 'no checkpoint has "heatlh"; did you mean "health"?'],
    [
      'epoch-1',
      { name: 'epoch-1', spaced: 'epoch - 1' },
      'no checkpoint has "epoch-1"; for an operation put spaces around the operator: epoch - 1',
    ],
    ['valid/loss/num-examples', { name: 'valid/loss/num-examples', spaced: 'valid/loss / num-examples' }, undefined],
    ['zebra', { name: 'zebra' }, 'no checkpoint has "zebra"'],
  ])('%s is told', (name, unknown, text) => {
    const [found] = unknownKeys([name, 'WER', 'size'], run)
    expect(found).toEqual(unknown)
    if (found !== undefined && text !== undefined) expect(describeUnknownKey(found)).toBe(text)
  })

  it('is unknown of no checkpoints', () => {
    expect(unknownKeys(['x'], [])).toEqual([])
  })
})

describe('best without a metric', () => {
  function refusalOf(meta: Record<string, MetaValue>): CkptError {
    try {
      bestOrder([checkpoint('a', { meta })])
    } catch (error) {
      if (error instanceof CkptError) return error
    }
    throw new Error('not refused')
  }

  it('takes the only one there is', () => {
    const meta = { epoch: 1, unixtime: 2, WER: 3, eval_runtime: 4, note: 'loss' }
    expect(bestOrder([checkpoint('a', { meta })])).toEqual({ kind: 'min', key: 'WER' })
  })

  it('lists several, each with its flag', () => {
    const error = refusalOf({ loss: 1, ACC: 2 })
    expect([error.code, error.message]).toEqual(['usage', '"best" by what? There are 2 metrics: loss, ACC'])
    expect(error.hint).toBe('name one: --min loss, --max ACC')
  })

  it.each([
    [
      'GRPO',
      'reward',
      [
        { loss: 0, reward: 1.5, 'rewards/exact/mean': 1.5, reward_std: 0.2 },
        { loss: 0, reward: 2.5, 'rewards/exact/mean': 2.5, reward_std: 0.1 },
      ],
    ],
    [
      'GRPO with a loss that is noise',
      'reward',
      [
        { loss: 1e-9, reward: 1.5 },
        { loss: 3e-9, reward: 2.5 },
      ],
    ],
    [
      'one reward beside a loss of 0',
      'rewards/exact/mean',
      [
        { loss: 0, 'rewards/exact/mean': 1 },
        { loss: 0, 'rewards/exact/mean': 2 },
      ],
    ],
  ])('goes by the reward, the higher the better: %s', (_, key, metas) => {
    const run = metas.map((meta, index) => checkpoint(`ep${index}`, { meta }))
    expect(bestOrder(run)).toEqual({ kind: 'max', key })
  })

  it('goes by the loss from which the rewards of DPO follow, not by how many answers are told apart', () => {
    const run = [0.6, 0.5].map((value, index) =>
      checkpoint(`ep${index}`, {
        meta: { eval_loss: value, 'eval_rewards/accuracies': 1 - value, 'eval_rewards/margins': 1 / value },
      }),
    )
    expect(bestOrder(run)).toEqual({ kind: 'min', key: 'eval_loss' })
  })

  it('takes no metric that is the same throughout where another differs', () => {
    const run = [0.5, 0.25].map((value, index) => checkpoint(`ep${index}`, { meta: { WER: value, ACC: 1 } }))
    expect(bestOrder(run)).toEqual({ kind: 'min', key: 'WER' })
    expect(monitoredKeys(run)).toEqual(['WER'])
  })

  it('says that there is none, and which numbers there are', () => {
    const error = refusalOf({ epoch: 1, temperature: 2 })
    expect([error.code, error.message]).toEqual([
      'usage',
      '"best" by what? No key of the meta is known as a metric; the numeric keys are temperature',
    ])
    expect(error.hint).toContain('--min temperature')
  })
})

describe('metrics', () => {
  const run = [
    checkpoint('ep4', { meta: { WER: NaN, ACC: 0.7, lr: 1 } }),
    checkpoint('ep3', { meta: { WER: 5, ACC: 0.9, lr: 1 } }),
    checkpoint('ep2', { meta: { WER: 3, ACC: 0.5, lr: 1 }, health: damaged('corrupt') }),
    checkpoint('ep1', { meta: { WER: 5, ACC: 0.6, lr: 1, extra: 1 } }),
  ]

  it('mark the best whole checkpoint, never NaN, the newest of equals', () => {
    const best = bestPerMetric(run, now)
    expect([best.get('WER')?.name, best.get('ACC')?.name]).toEqual(['ep3', 'ep3'])
  })

  it('without a number in any whole checkpoint mark none', () => {
    expect(bestPerMetric([checkpoint('a', { meta: { WER: NaN } })], now).size).toBe(0)
  })

  it('worth a column are those that vary or that some lack', () => {
    expect(varyingKeys(run)).toEqual(['WER', 'ACC', 'extra'])
  })

  it('of a single checkpoint are all worth a column', () => {
    expect(varyingKeys([checkpoint('a', { meta: { unixtime: 1, WER: 2, lr: 3, flag: true } })])).toEqual(['WER', 'lr'])
  })

  it('that no measurement gives are told, by path', () => {
    const averaged = checkpoint('avg', { meta: { WER: -0.1, ACC: 1.1 } })
    expect([...impossibleMetrics([averaged, ...run])]).toEqual([['/run/avg', ['WER', 'ACC']]])
    expect(impossibleMetrics(run).size).toBe(0)
  })

  it('that no measurement gives are told, however many there are', () => {
    const values = [-0.3, 0, 12, -0.1, 8, -0.1, NaN]
    const mixed = values.map((WER, index) => checkpoint(`ep${index}`, { meta: { WER } }))
    expect([...impossibleMetrics(mixed).keys()]).toEqual(['/run/ep0', '/run/ep3', '/run/ep5'])
  })

  it('of 10,000 checkpoints are looked through at once', () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      checkpoint(`ep${index}`, { meta: { WER: index + 0.5, ACC: index / 10_000 } }),
    )
    const began = performance.now()
    impossibleMetrics(many)
    bestPerMetric(many, now)
    varyingKeys(many)
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})
