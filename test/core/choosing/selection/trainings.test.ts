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

  it('are seen where times order all anyway', () => {
    const timed = (epoch: number, unixtime: number) => checkpoint(`e${epoch}`, { meta: { epoch, unixtime } })
    expect(trainings(timed(5, 1000), timed(6, 2000), timed(1, 9000), timed(2, 9900))).toEqual(['e5 e6', 'e1 e2'])
    expect(trainings(timed(1, 1000), timed(2, 2000), timed(2, 2100), timed(3, 9000))).toHaveLength(1)
    // Steps that count the batches of an epoch.
    const within = [
      [8, 1],
      [4, 2],
      [8, 2],
      [4, 3],
    ].map(([step, epoch], index) =>
      checkpoint(`s${index}`, { meta: { step: step ?? 0, epoch: epoch ?? 0, unixtime: index * 900 } }),
    )
    expect(trainings(...within)).toHaveLength(1)
    // The file times of what has lost its meta are of another clock.
    const broken = checkpoint('e4', { epoch: 4, unixtime: null, modified: 99999 })
    expect(trainings(timed(3, 1000), broken, timed(5, 3000))).toHaveLength(1)
  })
})

describe('a time in the future', () => {
  const day = 24 * hour
  const saved = (epoch: number, unixtime: number, modified = unixtime) =>
    checkpoint(`e${epoch}`, { epoch, unixtime, modified })

  it('of one checkpoint does not make another training of it', () => {
    expect(trainings(saved(1, hour), saved(2, 30 * day, 2 * hour), saved(3, 3 * hour))).toHaveLength(1)
  })

  it('does not hide a training begun anew, nor do files that all have an old time', () => {
    const all = [saved(8, 1 * day), saved(9, 90 * day, 2 * day), saved(1, 5 * day), saved(2, 6 * day)]
    expect(trainings(...all)).toEqual(['e8 e9', 'e1 e2'])
    const unpacked = [8, 9, 1, 2].map((epoch, index) => saved(epoch, (index + 1) * 10 * day, 0))
    expect(trainings(...unpacked)).toEqual(['e8 e9', 'e1 e2'])
  })
})

describe('two trainings whose steps rise with the times', () => {
  /** A log with an entry every 100 steps up to `last`; `loss` tells one training's from another's. */
  function logged(step: number, minutes: number, loss: number, settings: Readonly<Record<string, string>> = {}) {
    const log = [...Array(step / 100).keys()].map((index) => ({ step: (index + 1) * 100, mark: loss * 1000 + index }))
    const training = { log, settings: new Map(Object.entries(settings)) }
    return checkpoint(`checkpoint-${step}`, { step, modified: minutes * 60, training })
  }

  it('are told apart by a log that does not go on', () => {
    const all = [logged(100, 0, 1), logged(200, 10, 1), logged(300, 20, 2), logged(400, 30, 2)]
    expect(trainings(...all)).toEqual(['checkpoint-100 checkpoint-200', 'checkpoint-300 checkpoint-400'])
    expect(order(...all)).toEqual([400, 300, 200, 100])
  })

  it('are one where the log goes on, whatever the batch size and the number of steps', () => {
    const later = logged(300, 20, 1, { 'batch size': '16', 'all steps': '900' })
    expect(trainings(logged(100, 0, 1, { 'batch size': '8' }), logged(200, 10, 1), later)).toHaveLength(1)
  })

  it('are told apart at the fork, where one went on from an earlier checkpoint', () => {
    const fork = logged(300, 90, 1)
    const log = [...(fork.training?.log.slice(0, 2) ?? []), { step: 300, mark: 77 }]
    const forked = { ...fork, training: { log, settings: new Map<string, string>() } }
    expect(trainings(logged(100, 0, 1), logged(200, 10, 1), logged(400, 30, 1), forked)).toEqual([
      'checkpoint-400',
      'checkpoint-100 checkpoint-200 checkpoint-300',
    ])
  })

  it('are told apart by run id or batch size where there is no log', () => {
    const of = (step: number, meta: Readonly<Record<string, string | number>>) =>
      checkpoint(`s${step}`, { meta: { step, ...meta }, modified: step * 60 })
    for (const key of ['run_id', 'wandb_run_id', 'batch_size', 'train-batch-size', 'max_steps']) {
      expect(trainings(of(10, { [key]: 1 }), of(20, { [key]: 1 }), of(30, { [key]: 2 })), key).toEqual([
        's10 s20',
        's30',
      ])
    }
    // A value for each is none of the training's.
    expect(trainings(...[1, 2, 3, 4, 5].map((id) => of(id, { run_id: `r${id}` })))).toHaveLength(1)
  })

  it('are not seen in copies whose logs go on from each other, in whatever order they were copied', () => {
    const copied = [logged(200, 0, 1), logged(300, 5, 1), logged(100, 10, 1), logged(400, 15, 1)]
    expect(trainings(...copied)).toHaveLength(1)
    expect(order(...copied)).toEqual([400, 300, 200, 100])
    // Nor do logs that have lost their beginnings tell anything.
    const kept = (step: number) => ({ log: [{ step, mark: step }], settings: new Map<string, string>() })
    const cut = [100, 200, 300].map((step) => checkpoint(`c${step}`, { step, modified: step, training: kept(step) }))
    expect(trainings(...cut)).toHaveLength(1)
  })
})

describe('two trainings seconds apart, without times of their own', () => {
  function saved(
    name: string,
    step: number,
    seconds: number,
    { epoch = step / 10, ...more }: Partial<Checkpoint> = {},
  ) {
    return checkpoint(name, { step, epoch, modified: seconds, ...more })
  }
  const having = (weights: string) => ({ training: { log: [], settings: new Map<string, string>(), weights } })

  it('are told apart where the weights of a step are others', () => {
    const first = [10, 20, 30].map((step, index) => saved(`c${step}.ckpt`, step, index / 10, having(`a${step}`)))
    const second = [10, 20].map((step, index) => saved(`c${step}-v1.ckpt`, step, 9 + index / 10, having(`b${step}`)))
    expect(trainings(...first, ...second)).toEqual(['c10.ckpt c20.ckpt c30.ckpt', 'c10-v1.ckpt c20-v1.ckpt'])
    expect(order(...first, ...second)).toEqual([20, 10, 30, 20, 10])
  })

  it('are told apart where an epoch is over after fewer steps, or the hyper-parameters are others', () => {
    const first = [10, 20, 30].map((step, index) => saved(`b${step}`, step, index / 10))
    const second = [6, 12, 18].map((step, index) => saved(`a${step}`, step, 9 + index / 10, { epoch: step / 6 }))
    expect(trainings(...first, ...second)).toEqual(['b10 b20 b30', 'a6 a12 a18'])
    const rate = (lr: number) => ({ meta: new Map([['hyper_parameters', new Map([['lr', lr]])]]) })
    const tuned = [saved('b10', 10, 0, rate(0.1)), saved('b20', 20, 1, rate(0.1)), saved('a5', 5, 9, rate(0.2))]
    expect(trainings(...tuned)).toEqual(['b10 b20', 'a5'])
    expect(trainings(...tuned.slice(0, 2), saved('a5', 5, 9, rate(0.1)))).toHaveLength(1)
  })

  it('are told apart where what saved one kept none that is still there and has fewer steps', () => {
    const keeping = (names: readonly string[]) => ({
      training: { log: [], settings: new Map<string, string>(), kept: new Map([['best 3', new Set(names)]]) },
    })
    const first = [saved('s20', 20, 0, keeping(['s20'])), saved('s30', 30, 1, keeping(['s20', 's30']))]
    const other = [saved('s15', 15, 9, keeping(['s15'])), saved('s25', 25, 10, keeping(['s15', 's25']))]
    expect(trainings(...first, ...other)).toEqual(['s20 s30', 's15 s25'])
    // Copied in some order, one training's agree in that of their steps; and another callback keeps its own.
    const copied = [20, 30, 15, 25].map((step, index) =>
      saved(`s${step}`, step, index, keeping([15, 20, 25, 30].filter((one) => one <= step).map((one) => `s${one}`))),
    )
    expect(trainings(...copied)).toHaveLength(1)
    const others = other.map((one) => ({ ...one, training: { ...one.training, kept: new Map([['all', new Set()]]) } }))
    expect(trainings(...first, ...(others as Checkpoint[]))).toHaveLength(1)
  })

  it('are told apart where an epoch began after another number of batches', () => {
    const begun = (epoch: number, batches: number) => ({
      training: { log: [], settings: new Map<string, string>(), epochStart: { epoch, batches } },
    })
    const first = [saved('s20', 20, 0, begun(1, 10)), saved('s30', 30, 1, begun(2, 20))]
    expect(trainings(...first, saved('s14', 14, 9, begun(1, 7)))).toEqual(['s20 s30', 's14'])
    expect(trainings(...first, saved('s14', 14, 9, begun(1, 10)))).toHaveLength(1)
  })

  it('are not seen in averages of the same steps, nor in copies', () => {
    const pairs = [10, 20, 30].flatMap((step, index) => [
      saved(`c${step}`, step, index, having(`a${step}`)),
      saved(`c${step}-mean`, step, index + 0.5, having(`m${step}`)),
    ])
    expect(trainings(...pairs)).toHaveLength(1)
    const names = ['c10', 'c10-v1', 'c20', 'c20-v1', 'c30', 'c5', 'c5-v1']
    const copied = names.map((name, index) => saved(name, parseInt(name.slice(1)), index, having(name)))
    expect(trainings(...copied)).toHaveLength(1)
    const mixed = [saved('c30', 30, 0), saved('c5-v1', 5, 1), saved('c10', 10, 2), saved('c5', 5, 3)]
    expect(trainings(...mixed.map((one) => ({ ...one, ...having(one.name) })))).toHaveLength(1)
  })
})
