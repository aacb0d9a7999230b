/** Each value of a record has its bounds: one that ckpt cannot have written changes nothing and is nowhere repeated. */
import { describe, expect, it } from 'vitest'
import { lineOf, toEntry } from '../../../../src/core/changes/journal/entry.js'
import { toOwner } from '../../../../src/core/changes/state/lock-owner.js'
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../../../src/core/formats/text/json.js'
import { readProvenText } from './texts.js'

const start = {
  what: 'start',
  time: 1,
  attempt: 1,
  reason: 'first',
  checkpoint: 'CKPT+a',
  command: ['python', 'train.py'],
  host: 'node1',
  pid: 4711,
  started: '100',
  job: { scheduler: 'slurm', id: '7', restarts: 0 },
} as const

const read = (value: unknown): JsonValue => parseJson(JSON.stringify(value))

function objectOf(value: unknown): JsonObject {
  const parsed = read(value)
  if (!isJsonObject(parsed)) throw new Error('no object')
  return parsed
}

describe('an entry of the journal', () => {
  it('is read as it was written', () => {
    const end = {
      what: 'end',
      time: 3,
      ending: 'done',
      why: '',
      status: 0,
      seconds: 2,
      lost: 0,
      next: 'nothing',
      opened: ['a', 'b'],
    } as const
    const seen = {
      what: 'checkpoint',
      time: 2,
      name: 'a',
      saved: null,
      epoch: 1,
      step: null,
      metrics: new Map([['l', NaN]]),
    } as const
    for (const entry of [start, end, seen]) expect(toEntry(parseJson(lineOf(entry)))).toEqual(entry)
  })

  it.each([-1, 0, 1, 1.5, 2 ** 31, '2', true])('is none when its process is %j: no command to kill names it', (pid) => {
    expect(toEntry(read({ ...start, pid }))).toBeNull()
  })

  it.each([
    ['checkpoint', '../x'],
    ['checkpoint', '/etc'],
    ['inTheWay', ['a', '../x']],
    ['command', 'rm'],
    ['command', ['a', 7]],
    ['reason', 'x'.repeat(5000)],
    ['attempt', -1],
    ['time', 1e300],
    ['host', {}],
    ['job', { scheduler: 'slurm', id: 7 }],
    ['job', { scheduler: 'slurm', id: '7', restarts: -1 }],
  ])('is none when its %s is %j', (key, value) => {
    expect(toEntry(read({ ...start, [key]: value }))).toBeNull()
  })
})

describe("an owner's record", () => {
  const owner = { host: 'node1', pid: 4711, started: '100', boot: 'b', namespace: 'n', command: 'ckpt prune' }

  it('is read as it was written', () => expect(toOwner(objectOf({ owner }))).toEqual(owner))

  it.each([-1, 0, 2.5, 2 ** 31, '7'])('is none when its process is %j', (pid) => {
    expect(toOwner(objectOf({ owner: { ...owner, pid } }))).toBeNull()
  })
})

describe('what was proven', () => {
  const file = { name: 'model.ckpt', size: 5, modified: 1.5 }

  it('counts where it fits, and is told where it does not', async () => {
    const sound = { name: 'CKPT+a', files: [file, { ...file, name: '' }] }
    const { proven, warnings } = await readProvenText({ proven: [sound, { name: '../x', files: [] }] })
    expect([...proven.keys()]).toEqual(['CKPT+a'])
    expect(warnings.join()).toContain('it changes nothing')
  })

  it.each([
    [{ name: 'ckpt.yaml', files: [] }],
    [{ name: 'a', files: [{ ...file, name: '../x' }] }],
    [{ name: 'a', files: [{ ...file, size: -1 }] }],
    [{ name: 'a', files: [{ ...file, modified: 1e300 }] }],
    [7],
  ])('is nothing where it is %j', async (one) => {
    expect((await readProvenText({ proven: [one] })).proven.size).toBe(0)
  })
})
