import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  Checkpointer,
  EpochCounter,
  EpochCounterWithStopper,
  registerHooks,
  type CheckpointerOptions,
} from '../../../../src/core/runs/checkpointer/index.js'
import { StorageError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { readJournal, removalsIn } from '../../../../src/core/changes/journal/index.js'
import { acquireLock, stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'
import { lockOptions, machine, owner } from '../../changes/state/machine.js'
import { movingBy } from '../../../faulty-storage.js'

class Model {
  weight = 1
}
class Deep extends Model {}
class Deeper extends Deep {}

registerHooks(Model, {
  save: ({ weight }, path) => writeFileSync(path, String(weight)),
  load: (model, path) => {
    model.weight = Number(readFileSync(path, 'utf8'))
  },
  transfer: (model, path) => {
    model.weight = -Number(readFileSync(path, 'utf8'))
  },
})
registerHooks(Deeper, { save: ({ weight }, path) => writeFileSync(path, `${weight}000`) })

/** A clock that moves on a second at each look. */
function checkpointerIn(run: string, options: CheckpointerOptions = {}): Checkpointer {
  return new Checkpointer(
    run,
    {
      storage: localStorage(),
      now: () => (time += 1),
      localStamp: (seconds) => `2024-01-01+00-00-${seconds % 60}`,
      wait: () => Promise.resolve(),
      every: () => () => undefined,
      processes: machine(owner()),
    },
    options,
  )
}

let time = 1_700_000_000

function newRun(): string {
  return join(temporaryDirectory(), 'save')
}

async function removalsOf(run: string) {
  const storage = localStorage()
  return removalsIn((await readJournal(storage, await stateFolderOf(storage, run))).entries)
}

/** Three epochs with these losses; the weight is the epoch. */
async function trained(options: CheckpointerOptions = {}, losses: readonly number[] = [3, 1, 2]) {
  const run = newRun()
  const [model, counter] = [new Model(), new EpochCounter(10)]
  const checkpointer = checkpointerIn(run, { recoverables: { model, counter }, ...options })
  const names: string[] = []
  for (const loss of losses) {
    model.weight = counter.next().value ?? 0
    names.push((await checkpointer.saveCheckpoint({ meta: { loss } })).name)
  }
  return { run, model, counter, checkpointer, names }
}

describe('a Checkpointer', () => {
  it('has nothing to recover in a folder that is not there', async () => {
    const checkpointer = checkpointerIn(newRun(), { recoverables: { model: new Model() } })
    expect(await checkpointer.recoverIfPossible()).toBeNull()
    expect(await checkpointer.findCheckpoint()).toBeNull()
    expect(await checkpointer.listCheckpoints()).toEqual([])
    await checkpointer.deleteCheckpoints()
    expect(existsSync(checkpointer.directory)).toBe(false)
  })

  it('recovers the newest, or the best by a key, an importance or a filter', async () => {
    const { model, counter, checkpointer, names } = await trained()
    const recovered = async (options: Parameters<Checkpointer['recoverIfPossible']>[0]) => {
      const checkpoint = await checkpointer.recoverIfPossible(options)
      return [names.indexOf(checkpoint?.name ?? '') + 1, model.weight, counter.current]
    }
    expect(await recovered({})).toEqual([3, 3, 3])
    expect(await recovered({ minKey: 'loss' })).toEqual([2, 2, 2])
    expect(await recovered({ maxKey: 'loss' })).toEqual([1, 1, 1])
    expect(await recovered({ importanceKey: ({ meta }) => -Number(meta.get('loss')) })).toEqual([2, 2, 2])
    expect(await recovered({ predicate: ({ meta }) => Number(meta.get('loss')) > 2 })).toEqual([1, 1, 1])
    expect(await checkpointer.recoverIfPossible({ minKey: 'WER' })).toBeNull()
    await expect(checkpointer.recoverIfPossible({ minKey: 'loss', maxKey: 'loss' })).rejects.toThrow('only one')
  })

  it('finds several, best first', async () => {
    const { checkpointer, names } = await trained()
    const found = await checkpointer.findCheckpoints({ minKey: 'loss', maxNumCheckpoints: 2 })
    expect(found.map(({ name }) => name)).toEqual([names[1], names[2]])
    expect(await checkpointer.listCheckpoints()).toHaveLength(3)
  })

  it('keeps the best of each order, and all that are in none', async () => {
    const { run, checkpointer, names } = await trained({}, [3, 1, 2, 5])
    const odd = await checkpointer.saveCheckpoint({ name: 'no-loss' })
    await checkpointer.deleteCheckpoints({ keepRecent: false, minKeys: ['loss'], maxKeys: ['loss'] })
    expect(readdirSync(run).sort()).toEqual([names[1] ?? '', names[3] ?? '', odd.name].sort())
    await checkpointer.deleteCheckpoints({ predicate: ({ meta }) => meta.has('loss') })
    expect(readdirSync(run).sort()).toEqual([names[3] ?? '', odd.name].sort())
    await checkpointer.deleteCheckpoints({ numToKeep: 0 })
    expect(readdirSync(run)).toEqual([])
  })

  it('deletes only while no other ckpt changes the run, and says which does', async () => {
    const { run, checkpointer, names } = await trained({ patience: 1 })
    const state = await stateFolderOf(localStorage(), run)
    const lock = await acquireLock(localStorage(), state, lockOptions(machine(owner({ command: 'ckpt prune' }))))
    await expect(checkpointer.deleteCheckpoints()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('ckpt prune') as string,
    })
    expect(readdirSync(run).sort()).toEqual(names.toSorted())
    await lock.release()
    await checkpointer.deleteCheckpoints()
    expect(readdirSync(run)).toEqual([names.at(-1)])
    expect(readdirSync(state.path)).toEqual(['journal.jsonl'])
  })

  it('writes into the journal who deleted what, when, why, by which rule, and its metrics', async () => {
    const { run, checkpointer, names } = await trained()
    const began = time
    await checkpointer.deleteCheckpoints({ minKeys: ['loss'], predicate: () => true })
    const removed = await removalsOf(run)
    expect(removed).toMatchObject([
      {
        ...{ what: 'removed', name: names[0], policy: 'numToKeep 1, minKeys loss, predicate' },
        by: { host: owner().host, pid: owner().pid, command: owner().command },
        reason: expect.stringMatching(/./) as string,
        metrics: new Map([['loss', 3]]),
      },
    ])
    expect(removed[0]?.time).toBeGreaterThan(began)
    const saved = await checkpointer.saveAndKeepOnly({ meta: { loss: 9 }, keepRecent: false, maxKeys: ['loss'] })
    expect((await removalsOf(run)).slice(1).map(({ name, policy }) => [name, policy])).toEqual(
      expect.arrayContaining(
        [names[1], names[2]].map((name) => [name, 'numToKeep 1, keepRecent false, maxKeys loss']),
      ) as unknown,
    )
    expect(readdirSync(run)).toEqual([saved.name])
  })

  it('writes down what went though some could not go', async () => {
    const { run, checkpointer, names } = await trained({}, [3, 1, 2, 4])
    const storage = localStorage()
    const broken = new Checkpointer(run, {
      ...{ now: () => time, localStamp: String, wait: () => Promise.resolve(), every: () => () => undefined },
      processes: machine(owner()),
      storage: movingBy(storage, (from, to, print) => {
        const error = new StorageError(from, 'EBUSY', `${from}: EBUSY`)
        return from.endsWith(names[1] ?? '-') ? Promise.reject(error) : storage.move(from, to, print)
      }),
    })
    await expect(broken.deleteCheckpoints()).rejects.toMatchObject({ code: 'partial' })
    expect((await removalsOf(run)).map(({ name }) => name).sort()).toEqual([names[0], names[2]].sort())
    expect(await checkpointer.listCheckpoints()).toHaveLength(2)
  })

  it.each([-1, 1.5, NaN])('refuses to keep %d', async (numToKeep) => {
    const { checkpointer, names } = await trained()
    await expect(checkpointer.deleteCheckpoints({ numToKeep })).rejects.toThrow(
      `numToKeep is a whole number from 0 up, not ${numToKeep}`,
    )
    await expect(checkpointer.saveAndKeepOnly({ numToKeep })).rejects.toMatchObject({ code: 'usage' })
    expect(await checkpointer.listCheckpoints()).toHaveLength(names.length)
  })

  it('takes recoverables by key alone', () => {
    const list = [new Model()] as unknown as Record<string, object>
    expect(() => checkpointerIn(newRun(), { recoverables: list })).toThrow('recoverables are given by key')
    for (const [value, what] of [
      [3, 'a number'],
      [null, 'null'],
      [undefined, 'undefined'],
    ]) {
      const recoverables = { epoch: value } as unknown as Record<string, object>
      expect(() => checkpointerIn(newRun(), { recoverables })).toThrow(`epoch: ${what} is not a recoverable`)
    }
  })

  it('saves and keeps only the newest where nothing else is asked for', async () => {
    const { run, checkpointer } = await trained()
    const saved = await checkpointer.saveAndKeepOnly({ meta: { loss: 9 } })
    expect(readdirSync(run)).toEqual([saved.name])
  })

  it('saves under a name, which it never overwrites', async () => {
    const { run, checkpointer } = await trained()
    const saved = await checkpointer.saveCheckpoint({ name: 'final', endOfEpoch: false, meta: { note: 'x' } })
    expect(saved).toMatchObject({ name: 'CKPT+final', path: join(run, 'CKPT+final') })
    expect([saved.meta.get('end-of-epoch'), saved.meta.get('note')]).toEqual([false, 'x'])
    expect(saved.files.map(({ key }) => key)).toEqual(['counter', 'model'])
    await expect(checkpointer.saveCheckpoint({ name: 'final' })).rejects.toMatchObject({ code: 'refused' })
  })

  it('leaves nothing behind when a hook fails or writes nothing', async () => {
    const { run, checkpointer } = await trained()
    const before = readdirSync(run)
    checkpointer.addRecoverable('bad', new Model(), {
      save: () => {
        throw new Error('no more memory')
      },
    })
    await expect(checkpointer.saveCheckpoint()).rejects.toThrow('no more memory')
    checkpointer.addRecoverable('bad', new Model(), { save: () => undefined })
    await expect(checkpointer.saveCheckpoint()).rejects.toMatchObject({ code: 'usage' })
    expect(readdirSync(run)).toEqual(before)
    expect(readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('passes over a checkpoint that is found damaged, when asked to look', async () => {
    const warnings: string[] = []
    const { run, model, checkpointer, names } = await trained({ onWarning: (text) => warnings.push(text) })
    writeFileSync(join(run, names[2] ?? '', 'model.ckpt'), '')
    expect((await checkpointer.recoverIfPossible({ verify: 'quick' }))?.name).toBe(names[1])
    expect(model.weight).toBe(2)
    expect(warnings).toEqual([expect.stringMatching('passed over .*model.ckpt.*0 bytes')])
  })

  it('never takes a checkpoint whose meta cannot be read', async () => {
    const { run, checkpointer, names } = await trained()
    writeFileSync(join(run, names[2] ?? '', 'CKPT.yaml'), '')
    expect((await checkpointer.recoverIfPossible())?.name).toBe(names[1])
  })
})

describe('hooks', () => {
  it('are those of the nearest class, each on its own', async () => {
    const run = newRun()
    const [deep, deeper] = [new Deep(), new Deeper()]
    const checkpointer = checkpointerIn(run, {
      recoverables: new Map([
        ['deep', deep],
        ['deeper', deeper],
      ]),
    })
    await checkpointer.saveCheckpoint()
    await checkpointer.recoverIfPossible()
    expect([deep.weight, deeper.weight]).toEqual([1, 1000])
  })

  it('given for a key go first, and the load hook gets the end of the epoch', async () => {
    const run = newRun()
    const seen: boolean[] = []
    const checkpointer = checkpointerIn(run)
    checkpointer.addRecoverable('model', new Model(), {
      save: (_, path) => writeFileSync(path, 'mine'),
      load: (_, path, endOfEpoch) => {
        expect(readFileSync(path, 'utf8')).toBe('mine')
        seen.push(endOfEpoch)
      },
    })
    for (const endOfEpoch of [true, false]) {
      await checkpointer.saveCheckpoint({ endOfEpoch })
      await checkpointer.recoverIfPossible()
    }
    expect(seen).toEqual([true, false])
  })

  it('that nobody has given are reported with the class, before anything is saved', async () => {
    const checkpointer = checkpointerIn(newRun()).addRecoverables({ date: new Date() })
    await expect(checkpointer.saveCheckpoint()).rejects.toThrow('date: how to save a Date is not known')
    expect(existsSync(checkpointer.directory)).toBe(false)
  })

  it('of an object without a class are asked for by its key', async () => {
    for (const plain of [{ steps: 1 }, Object.create(null) as object]) {
      const checkpointer = checkpointerIn(newRun()).addRecoverables({ plain })
      await expect(checkpointer.saveCheckpoint()).rejects.toMatchObject({
        message: 'plain: how to save an object without a class is not known',
        hint: 'addRecoverable("plain", object, { save, load })',
      })
    }
  })

  it('for a transfer take parameters from elsewhere', async () => {
    const { run, model, counter, checkpointer, names } = await trained()
    const [model1, counter1] = ['model', 'counter'].map((key) => join(run, names[0] ?? '', `${key}.ckpt`))
    await checkpointer.transferFrom({ model: model1 ?? '', counter: counter1 ?? '' })
    expect([model.weight, counter.current]).toEqual([-1, 1])
    await expect(checkpointer.transferFrom({ other: '/x' })).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('a file that is not there', () => {
  const without = async (options: CheckpointerOptions, optional = false) => {
    const { run, model, counter, names } = await trained()
    rmSync(join(run, names[2] ?? '', 'model.ckpt'))
    const checkpointer = checkpointerIn(run, options).addRecoverable('counter', counter)
    checkpointer.addRecoverable('model', model, { optional })
    model.weight = counter.current = 77
    const outcome = checkpointer.recoverIfPossible().then(
      (checkpoint) => checkpoint?.name === names[2],
      (error: unknown) => error,
    )
    return [await outcome, model.weight, counter.current]
  }

  it('is an error, and nothing is loaded', async () => {
    expect(await without({})).toEqual([expect.objectContaining({ code: 'damaged' }), 77, 77])
  })

  it('is none where its recoverable is optional, or partial loading is allowed', async () => {
    expect(await without({}, true)).toEqual([true, 77, 3])
    expect(await without({ allowPartialLoad: true })).toEqual([true, 77, 3])
  })
})

describe('an EpochCounter', () => {
  it('counts from 1 to its limit, and goes on where it was', () => {
    const counter = new EpochCounter(3)
    for (const epoch of counter) if (epoch === 2) break
    expect([...counter]).toEqual([3])
    expect([...counter]).toEqual([])
    expect(() => new EpochCounter(-1)).toThrow()
  })

  it('is saved as a number in plain text, and in the middle of an epoch recovers the one before', async () => {
    const { run, counter, checkpointer, names } = await trained()
    expect(readFileSync(join(run, names[2] ?? '', 'counter.ckpt'), 'utf8')).toBe('3')
    await checkpointer.saveCheckpoint({ endOfEpoch: false })
    await checkpointer.recoverIfPossible()
    expect(counter.current).toBe(2)
  })

  it.each(['', 'three', '1.5', '99999999999999999999'])('refuses a file that holds %j', async (text) => {
    const { run, checkpointer, names } = await trained()
    writeFileSync(join(run, names[2] ?? '', 'counter.ckpt'), text)
    await expect(checkpointer.recoverIfPossible()).rejects.toMatchObject({ code: 'damaged' })
  })
})

describe('an EpochCounterWithStopper', () => {
  it('stops when the metric has not improved for long enough', () => {
    const losses = [5, 4, 4.5, 4, 4.2, 1]
    const counter = new EpochCounterWithStopper(10, { limitToStop: 3, limitWarmup: 0, direction: 'min' })
    for (const epoch of counter) counter.updateMetric(losses[epoch - 1] ?? 0)
    expect([counter.current, counter.bestEpoch, counter.bestScore]).toEqual([5, 2, 4])
    const warm = new EpochCounterWithStopper(10, { limitToStop: 5, limitWarmup: 2, direction: 'min' })
    while (warm.next().done !== true) warm.updateMetric(0)
    expect(warm.current).toBe(8)
    const rising = new EpochCounterWithStopper(4, { limitToStop: 2, limitWarmup: 0, direction: 'max' })
    for (const epoch of rising) rising.updateMetric(epoch)
    expect(rising.current).toBe(4)
  })

  it('recovers all that it knows, and from a plain counter the epoch', async () => {
    const run = newRun()
    const make = () => new EpochCounterWithStopper(10, { limitToStop: 3, limitWarmup: 0, direction: 'min' })
    const counter = make()
    for (const loss of [3, 2, 4]) {
      counter.next()
      counter.updateMetric(loss)
    }
    const saved = await checkpointerIn(run, { recoverables: { counter } }).saveCheckpoint({ endOfEpoch: false })
    const other = make()
    await checkpointerIn(run, { recoverables: { counter: other } }).recoverIfPossible()
    expect(other).toEqual(Object.assign(make(), { current: 2, bestEpoch: 2, bestScore: 2 }))
    rmSync(join(saved.path, 'counter.stopper.yaml'))
    await checkpointerIn(run, { recoverables: { counter: other } }).recoverIfPossible()
    expect(other).toEqual(Object.assign(make(), { current: 2 }))
  })

  // A training that registers SpeechBrain's class has its whole state in the one file.
  it('recovers all that it knows from a file in the form of its class in SpeechBrain', async () => {
    const run = newRun()
    const counter = new EpochCounterWithStopper(10, { limitToStop: 3, limitWarmup: 0, direction: 'max' })
    const checkpointer = checkpointerIn(run, { recoverables: { counter } })
    const { path } = await checkpointer.saveCheckpoint()
    const text = 'best_epoch: 3\nbest_score: 0.75\ncurrent_epoch: 6\nshould_stop: true\n'
    writeFileSync(join(path, 'counter.ckpt'), text)
    rmSync(join(path, 'counter.stopper.yaml'))
    await checkpointer.recoverIfPossible()
    expect(counter).toMatchObject({ current: 6, bestEpoch: 3, bestScore: 0.75, shouldStop: true })
    writeFileSync(join(path, 'counter.ckpt'), 'best_epoch: 3\n')
    await expect(checkpointer.recoverIfPossible()).rejects.toThrow('counter.ckpt: current_epoch')
  })

  it('knows two directions', () => {
    const options = { limitToStop: 3, limitWarmup: 0, direction: 'up' as 'max' }
    expect(() => new EpochCounterWithStopper(10, options)).toThrow(`direction is 'min' or 'max', not "up"`)
  })
})
