import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import { Watch, type WatchEvent } from '../../../../src/core/jobs/watch/index.js'
import type { Query } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { lockOptions, machine, owner } from '../../changes/state/machine.js'

let folder = ''
let run = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-watch-'))
  run = join(folder, 'save')
  mkdirSync(run)
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const dawn = 1_700_000_000

/** A SpeechBrain checkpoint of this epoch, long ago, so that nobody waits whether it is still being written. */
function save(epoch: number, metrics: Readonly<Record<string, number | string>>, into = run): string {
  const path = join(into, `CKPT+${epoch}`)
  mkdirSync(path, { recursive: true })
  const lines = [`epoch: ${epoch}`, `unixtime: ${dawn + epoch * 60}.0`]
  for (const [key, value] of Object.entries(metrics)) lines.push(`${key}: ${value}`)
  for (const [name, text] of [
    ['CKPT.yaml', `${lines.join('\n')}\n`],
    ['model.ckpt', `weights ${epoch}`],
  ] as const) {
    writeFileSync(join(path, name), text)
    utimesSync(join(path, name), dawn, dawn)
  }
  return path
}

function writeDown(...entries: readonly object[]): void {
  mkdirSync(join(folder, '.ckpt', 'save'), { recursive: true, mode: 0o700 })
  const path = join(folder, '.ckpt', 'save', 'journal.jsonl')
  for (const entry of entries) appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
}

const start = { what: 'start', attempt: 1, reason: 'first', checkpoint: null, command: ['train'], host: 'here' }
const end = { what: 'end', ending: 'failed', why: 'exit status 1', status: 1, seconds: 60, lost: 1, next: 'nothing' }

interface Options {
  readonly storage?: Storage
  readonly path?: string
  readonly isRecursive?: boolean
  readonly query?: Query
  readonly patience?: number
  readonly running?: ReadonlyMap<number, string>
}

/** What each look tells, in short. */
function watching(options: Options = {}) {
  const watch = new Watch(options.storage ?? localStorage(), {
    path: options.path ?? run,
    isRecursive: options.isRecursive ?? false,
    walking: {},
    lock: lockOptions(machine(owner(), options.running)),
  })
  const context = {
    query: options.query ?? { orders: [], where: [] },
    patience: options.patience ?? 2,
    now: dawn + 100_000,
    wait: () => Promise.resolve(),
  }
  return { watch, look: async () => (await watch.look(context)).map(inShort) }
}

function inShort(event: WatchEvent): string {
  switch (event.event) {
    case 'watching':
    case 'appeared':
      return `${event.event} ${event.seen.ordered.length}`
    case 'new':
    case 'damaged':
      return `${event.event} ${event.checkpoint.name}`
    case 'removed':
      return `removed ${event.name}`
    case 'best':
      return `best ${event.best.value} of ${event.best.name}, was ${event.before?.value ?? 'none'}`
    case 'stalled':
      return `stalled ${event.checkpoints}`
    case 'job':
      return `job ${event.job.state} ${event.job.attempt}`
    default:
      return event.event
  }
}

describe('a watched run', () => {
  it('tells of what is there, of new checkpoints, and of a new best', async () => {
    save(1, { WER: 20 })
    const { look, watch } = watching()
    expect(await look()).toEqual(['watching 1'])
    save(2, { WER: 18 })
    save(3, { WER: 19 })
    expect(await look()).toEqual(['new CKPT+2', 'new CKPT+3', 'best 18 of CKPT+2, was 20'])
    expect(await look()).toEqual([])
    expect(watch.runs[0]).toMatchObject({ metric: 'WER', since: 1, values: [20, 18, 19] })
  })

  it('tells of a stall once, and again after another best', async () => {
    save(1, { WER: 20 })
    const { look } = watching()
    await look()
    save(2, { WER: 21 })
    expect(await look()).toEqual(['new CKPT+2'])
    save(3, { WER: 22 })
    expect(await look()).toEqual(['new CKPT+3', 'stalled 2'])
    save(4, { WER: 23 })
    expect(await look()).toEqual(['new CKPT+4'])
    save(5, { WER: 10 })
    expect(await look()).toEqual(['new CKPT+5', 'best 10 of CKPT+5, was 20'])
    save(6, { WER: 11 })
    save(7, { WER: 12 })
    expect(await look()).toContain('stalled 2')
  })

  it('remembers a best that is gone, also one that only the journal knows', async () => {
    save(2, { WER: 20 })
    writeDown({
      what: 'checkpoint',
      time: 2,
      name: 'CKPT+1',
      saved: dawn + 60,
      epoch: 1,
      step: null,
      metrics: { WER: 15 },
    })
    const { look, watch } = watching()
    await look()
    expect(watch.runs[0]?.best).toMatchObject({ name: 'CKPT+1', value: 15 })
    save(3, { WER: 14 })
    await look()
    rmSync(join(run, 'CKPT+3'), { recursive: true })
    expect(await look()).toEqual(['removed CKPT+3'])
    expect(watch.runs[0]?.best).toMatchObject({ name: 'CKPT+3', value: 14 })
  })

  it('does not tell of what is not finished, and tells of damage when it lasts', async () => {
    save(1, { WER: 20 })
    save(2, { WER: 20 })
    const { look } = watching()
    await look()
    const path = save(3, { WER: 19 })
    renameSync(join(path, 'CKPT.yaml'), join(folder, 'later'))
    expect(await look()).toEqual([])
    renameSync(join(folder, 'later'), join(path, 'CKPT.yaml'))
    expect(await look()).toEqual(['new CKPT+3', 'best 19 of CKPT+3, was 20'])
    writeFileSync(join(save(4, { WER: 1 }), 'model.ckpt'), '')
    expect(await look()).toEqual([])
    expect(await look()).toEqual(['damaged CKPT+4'])
    expect(await look()).toEqual([])
  })

  it('NaN is not a best, and by another order another checkpoint is', async () => {
    save(1, { WER: 20, ACC: 0.5 })
    const by = await parseExpression('ACC - WER')
    const { look } = watching({ query: { orders: [{ kind: 'by', expression: by }], where: [] } })
    await look()
    save(2, { WER: '.nan', ACC: 0.9 })
    save(3, { WER: 10, ACC: 0.4 })
    expect(await look()).toEqual(['new CKPT+2', 'new CKPT+3', 'best -9.6 of CKPT+3, was -19.5'])
  })

  it('may come, go, and come again', async () => {
    const { look } = watching()
    expect(await look()).toEqual([])
    save(1, { WER: 20 })
    expect(await look()).toEqual(['appeared 1'])
    rmSync(run, { recursive: true })
    expect(await look()).toEqual(['vanished'])
    save(1, { WER: 20 })
    expect(await look()).toEqual(['appeared 1'])
  })

  it('is one of many below a folder', async () => {
    const exp = join(folder, 'exp')
    save(1, { WER: 20 }, join(exp, 'a', 'save'))
    save(1, { WER: 30 }, join(exp, 'b', 'save'))
    const { look } = watching({ path: exp, isRecursive: true })
    expect(await look()).toEqual(['watching 1', 'watching 1'])
    save(2, { WER: 40 }, join(exp, 'b', 'save'))
    save(1, { WER: 10 }, join(exp, 'deep', 'er', 'c', 'save'))
    rmSync(join(exp, 'a'), { recursive: true })
    expect((await look()).sort()).toEqual(['appeared 1', 'new CKPT+2', 'vanished'])
  })

  it('has a job that starts, runs, ends, and is started again', async () => {
    save(1, { WER: 20 })
    const { look, watch } = watching({ running: new Map([[77, '500']]) })
    await look()
    expect(watch.runs[0]?.job).toBeNull()
    writeDown({ ...start, time: 10, pid: 77, started: '500' })
    expect(await look()).toEqual(['job running 1'])
    writeDown({ ...end, time: 20 })
    expect(await look()).toEqual(['job ended 1'])
    writeDown({ ...start, time: 30, attempt: 2, pid: 78, started: '600' })
    expect(await look()).toEqual(['job unseen 2'])
    expect(await look()).toEqual([])
  })

  it('costs no listing and no reading while nothing changes, and notices what was written in place', async () => {
    save(1, { WER: 20 })
    const calls: string[] = []
    const storage = localStorage()
    const counting = new Proxy(storage, {
      get(target, name: keyof Storage) {
        const call: unknown = Reflect.get(target, name)
        if (typeof call !== 'function') return call
        return (...args: unknown[]): unknown => {
          if (name !== 'guard') calls.push(name)
          return Reflect.apply(call, target, args)
        }
      },
    })
    const { look } = watching({ storage: counting })
    await look()
    await look()
    calls.length = 0
    await look()
    expect([...new Set(calls)].sort()).toEqual(['space', 'stat'])
    writeFileSync(join(run, 'CKPT+1', 'CKPT.yaml'), 'epoch: 1\nunixtime: 1700009999.0\nWER: 3.5\n')
    expect(await look()).toEqual(['new CKPT+1', 'best 3.5 of CKPT+1, was 20'])
  })
})
