import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Checkpointer, EpochCounter, EpochCounterWithStopper } from '../../src/library.js'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'
import { askPython } from './python.js'

interface Recovered {
  readonly listed: readonly {
    name: string
    meta: Record<string, { type: string; value: unknown }>
    files: string[]
  }[]
  readonly found: string[]
  readonly chosen: string | null
  readonly state: Record<string, unknown>
}

async function save(run: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await ckpt(['save', run, ...args])
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return stdout.trim().slice(run.length + 1)
}

describe('what ckpt save wrote', () => {
  it('SpeechBrain lists, finds and recovers', async () => {
    const folder = temporaryDirectory()
    const run = join(folder, 'save')
    const model = join(folder, 'model.pt')
    const counter = join(folder, 'epoch')
    const names: string[] = []
    for (const [epoch, loss] of [15.5, 2.25, 9].entries()) {
      askPython({ do: 'torch_file', path: model, value: loss })
      writeFileSync(counter, String(epoch + 1))
      const files = ['--file', `model=${model}`, '--file', `counter=${counter}`]
      names.push(await save(run, ...files, '--meta', `loss=${loss}`, '--meta', 'validation-type=full'))
    }
    const best = askPython({
      do: 'recover',
      run,
      recoverables: ['model', 'counter'],
      find: { min_key: 'loss' },
    }) as Recovered
    expect(best.listed.map(({ name }) => name)).toEqual([...names].sort())
    expect(best.found).toEqual([names[1], names[2], names[0]])
    expect(best.state).toEqual({ model: Array<number>(6).fill(2.25), counter: 2 })
    expect(best.listed[0]?.meta['loss']).toEqual({ type: 'float', value: '15.5' })
    expect(best.listed[0]?.meta['validation-type']).toEqual({ type: 'str', value: 'full' })
    expect(best.listed[0]?.meta['end-of-epoch']).toEqual({ type: 'bool', value: true })
    expect(best.listed[0]?.meta['unixtime']?.type).toBe('float')
    expect(best.listed[0]?.files).toEqual(['counter', 'model'])
    const newest = askPython({ do: 'recover', run, recoverables: ['model', 'counter'] }) as Recovered
    expect(newest.chosen).toBe(names[2])
    expect(newest.state['counter']).toBe(3)
  })

  it('in the middle of an epoch, SpeechBrain begins the epoch again', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'epoch'), '7')
    const run = join(folder, 'save')
    await save(run, '--file', `counter=${join(folder, 'epoch')}`, '--intra-epoch', '--name', 'middle')
    const recovered = askPython({ do: 'recover', run, recoverables: ['counter'] }) as Recovered
    expect(recovered).toMatchObject({ chosen: 'CKPT+middle', state: { counter: 6 } })
  })

  it('reads metas of every kind', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'file'), 'x')
    const values = [
      'a=1e-4',
      'b=nan',
      'c=-3',
      'd=null',
      "e='1'",
      'f=caf\xe9 \u{1f986}',
      'g=yes',
      'h=2024-01-31',
      'i=a: b',
    ]
    const run = join(folder, 'save')
    await save(run, '--file', `x=${join(folder, 'file')}`, ...values.flatMap((value) => ['--meta', value]))
    const { listed } = askPython({ do: 'recover', run, recoverables: [] }) as Recovered
    expect(listed[0]?.meta).toMatchObject({
      a: { type: 'float', value: '0.0001' },
      b: { type: 'float', value: 'nan' },
      c: { type: 'int', value: '-3' },
      d: { type: 'NoneType', value: null },
      e: { type: 'str', value: '1' },
      f: { type: 'str', value: 'caf\xe9 \u{1f986}' },
      g: { type: 'bool', value: true },
      h: { type: 'date', value: '2024-01-31' },
      i: { type: 'str', value: 'a: b' },
    })
  })
})

describe('the Checkpointer', () => {
  it('saves epoch counters that SpeechBrain recovers', async () => {
    const run = join(temporaryDirectory(), 'save')
    const [counter, stopper] = [new EpochCounter(100), stopperOf()]
    const checkpointer = new Checkpointer(run, { recoverables: { counter, stopper } })
    for (const loss of [3, 2, 2.5, 2.75]) {
      counter.next()
      stopper.next()
      stopper.updateMetric(loss)
      await checkpointer.saveCheckpoint({ meta: { loss, epoch: counter.current } })
    }
    const recovered = askPython({ do: 'recover', run, recoverables: ['counter', 'stopper'] }) as Recovered
    expect(recovered.state).toEqual({ counter: 4, stopper: [4, 0, null, false] })
    expect(recovered.listed).toHaveLength(4)
    expect(recovered.listed[0]?.meta['epoch']).toEqual({ type: 'int', value: '1' })
    const best = askPython({
      do: 'recover',
      run,
      recoverables: ['counter', 'stopper'],
      find: { min_key: 'loss' },
    }) as Recovered
    expect(best.state).toEqual({ counter: 2, stopper: [2, 0, null, false] })
  })

  it('recovers what SpeechBrain saved', async () => {
    const run = join(temporaryDirectory(), 'save')
    const { names, state } = askPython({
      do: 'save',
      run,
      recoverables: ['model', 'counter', 'stopper'],
      steps: [3, 2, 4, 5, 6].map((loss, index) => ({ epoch: index + 1, meta: { loss, epoch: index + 1 } })),
    }) as { names: string[]; state: Record<string, unknown> }
    const [counter, stopper] = [new EpochCounter(100), stopperOf()]
    const checkpointer = new Checkpointer(run, { recoverables: { counter, stopper } })
    const newest = await checkpointer.recoverIfPossible()
    expect(newest?.name).toBe(names[4])
    expect(counter.current).toBe(5)
    expect(state['stopper']).toEqual([5, 2, 2, true])
    expect([stopper.current, stopper.bestEpoch, stopper.bestScore]).toEqual([5, 0, Infinity])
    expect((await checkpointer.recoverIfPossible({ minKey: 'loss' }))?.name).toBe(names[1])
    expect(counter.current).toBe(2)
    await checkpointer.deleteCheckpoints({ minKeys: ['loss'] })
    expect(readdirSync(run).sort()).toEqual([names[1], names[4]].sort())
    const after = askPython({ do: 'recover', run, recoverables: ['model', 'counter'] }) as Recovered
    expect(after.chosen).toBe(names[4])
  })
})

function stopperOf(): EpochCounterWithStopper {
  return new EpochCounterWithStopper(100, { limitToStop: 3, limitWarmup: 0, direction: 'min' })
}
