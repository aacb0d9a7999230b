import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  acquireLock,
  staleAfter,
  stateFolderOf,
  withLock,
  type StateFolder,
} from '../../../../src/core/changes/state/index.js'
import { passedOverAfter } from '../../../../src/core/changes/state/lock-queue.js'
import { StorageError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'
import { makeRun } from '../disposal/runs.js'
import { lockOptions, machine, owner } from './machine.js'

const storage = localStorage()

async function freshState(): Promise<{ run: string; state: StateFolder }> {
  const run = makeRun(['CKPT+a'])
  return { run, state: await stateFolderOf(storage, run) }
}

function age(state: StateFolder, seconds: number): void {
  const then = Date.now() / 1000 - seconds
  for (const name of readdirSync(join(state.path, 'lock'))) utimesSync(join(state.path, 'lock', name), then, then)
}

describe('the lock of a run', () => {
  it('is held by one, and leaves nothing when it is released', async () => {
    const { run, state } = await freshState()
    const lock = await acquireLock(storage, state, lockOptions(machine(owner())))
    expect(readdirSync(state.path)).toEqual(['lock'])
    await lock.release()
    expect(readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('makes a second one wait, then says who holds it', async () => {
    const { state } = await freshState()
    const running = new Map([[1, '100']])
    await acquireLock(storage, state, lockOptions(machine(owner({ command: 'ckpt prune' }))))
    const waits: string[] = []
    const second = lockOptions(machine(owner({ pid: 2, started: '200' }), running), {
      onWait: (holder) => waits.push(holder),
    })
    const failure = await acquireLock(storage, state, second).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'refused' })
    expect(String(failure)).toContain('in use by ckpt prune (process 1 on here)')
    expect(waits).toEqual(['ckpt prune (process 1 on here)'])
    expect(readdirSync(state.path)).toEqual(['lock'])
  })

  it.each([
    ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync('/dev/zero', path)],
    ['another object', (path: string) => writeFileSync(path, '{"token": 1}')],
  ])('is held by nobody where %s is in place of its record', async (_, make) => {
    const { state } = await freshState()
    mkdirSync(join(state.path, 'lock'), { recursive: true })
    make(join(state.path, 'lock', 'owner.json'))
    const lock = await acquireLock(storage, state, lockOptions(machine(owner()), { patience: 0 }))
    await lock.release()
    expect(existsSync(join(state.path, 'lock'))).toBe(false)
  })

  it('goes to who waits when it is released', async () => {
    const { state } = await freshState()
    const first = await acquireLock(storage, state, lockOptions(machine(owner())))
    const second = lockOptions(machine(owner({ pid: 2 }), new Map([[1, '100']])), { wait: () => first.release() })
    await (await acquireLock(storage, state, second)).release()
    expect(existsSync(state.path)).toBe(false)
  })

  it.each([
    ['whose process is gone', new Map<number, string>()],
    ['whose pid is another process by now', new Map([[1, '999']])],
  ])('is taken over from an owner %s', async (_, running) => {
    const { state } = await freshState()
    await acquireLock(storage, state, lockOptions(machine(owner())))
    const lock = await acquireLock(storage, state, lockOptions(machine(owner({ pid: 2 }), running)))
    await lock.release()
    expect(existsSync(state.path)).toBe(false)
  })

  it.each([
    ['another host', owner({ host: 'there' })],
    ['an earlier boot', owner({ boot: 'earlier' })],
    ['another container', owner({ namespace: 'other' })],
    ['a system that tells no start times', owner({ started: null })],
  ])('is never taken over by pid alone from %s, only once its heartbeat is old', async (_, holder) => {
    const { state } = await freshState()
    await acquireLock(storage, state, lockOptions(machine(holder)))
    const other = machine(owner({ pid: 2 }))
    age(state, staleAfter - 20)
    await expect(acquireLock(storage, state, lockOptions(other))).rejects.toMatchObject({ code: 'refused' })
    age(state, staleAfter + 20)
    const lock = await acquireLock(storage, state, lockOptions(other))
    await lock.release()
  })

  it('shows that its owner lives by heartbeats, of which it keeps one', async () => {
    const { state } = await freshState()
    let beat = (): void => undefined
    const every = (_: number, call: () => void) => {
      beat = call
      return () => undefined
    }
    await acquireLock(storage, state, lockOptions(machine(owner({ host: 'there' })), { every }))
    age(state, 10 * staleAfter)
    beat()
    beat()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(readdirSync(join(state.path, 'lock')).length).toBe(2)
    const other = lockOptions(machine(owner({ pid: 2 })))
    await expect(acquireLock(storage, state, other)).rejects.toMatchObject({ code: 'refused' })
  })

  it('is a plain failure of the system where the state folder cannot be made, and the work can go on without', async () => {
    const { run, state } = await freshState()
    writeFileSync(join(run, '../.ckpt'), '')
    const options = lockOptions(machine(owner()))
    await expect(acquireLock(storage, state, options)).rejects.toThrow(StorageError)
    const told: string[] = []
    const onUnlocked = (error: Error) => void told.push(error.message)
    expect(await withLock(storage, state, { ...options, onUnlocked }, () => Promise.resolve(7))).toBe(7)
    expect(told).toHaveLength(1)
  })

  it('is refused as a folder of somebody else', async () => {
    const { state } = await freshState()
    mkdirSync(join(state.path, 'lock'), { recursive: true })
    writeFileSync(join(state.path, 'lock', 'notes'), '')
    await expect(acquireLock(storage, state, lockOptions(machine(owner())))).rejects.toThrow('in use by another ckpt')
  })

  it('can be had again after a stop at any changing call, and leaves nothing then', async () => {
    const counting = faultyStorage(storage)
    const { state: once } = await freshState()
    await withLock(counting.storage, once, lockOptions(machine(owner())), () => Promise.resolve())
    expect(counting.calls.length).toBeGreaterThan(8)
    for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
      const { run, state } = await freshState()
      const faulty = faultyStorage(storage, { failAt, then: 'stops' })
      const work = withLock(faulty.storage, state, lockOptions(machine(owner())), () => Promise.resolve())
      await expect(work).rejects.toThrow(Stopped)
      const next = await acquireLock(storage, state, lockOptions(machine(owner({ pid: 2, started: '2' }))))
      await next.release()
      expect(readdirSync(join(run, '..'))).toEqual(['save'])
    }
  })

  it('is had by one at a time when eight want it', async () => {
    const { run, state } = await freshState()
    const running = new Map(Array.from({ length: 8 }, (_, index): [number, string] => [index + 1, '100']))
    let inside = 0
    let most = 0
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 1))
    const contend = async (pid: number) => {
      for (let turn = 0; turn < 5; turn += 1) {
        const options = lockOptions(machine(owner({ pid }), running), { wait, patience: Infinity })
        await withLock(storage, state, options, async () => {
          inside += 1
          most = Math.max(most, inside)
          await wait()
          inside -= 1
        })
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => contend(index + 1)))
    expect(most).toBe(1)
    expect(readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('goes to those that wait in the order in which they came', async () => {
    const { run, state } = await freshState()
    const pids = Array.from({ length: 12 }, (_, index) => index + 1)
    const running = new Map(pids.map((pid): [number, string] => [pid, '100']))
    const first = await acquireLock(storage, state, lockOptions(machine(owner({ pid: 99 }), running)))
    running.set(99, '100')
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 1))
    const served: number[] = []
    const work: Promise<void>[] = []
    for (const pid of pids) {
      let waits = (): void => undefined
      const isWaiting = new Promise<void>((resolve) => (waits = resolve))
      const options = lockOptions(machine(owner({ pid }), running), { wait, patience: Infinity, onWait: () => waits() })
      work.push(withLock(storage, state, options, async () => void served.push(pid)))
      await isWaiting
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await first.release()
    await Promise.all(work)
    expect(served).toEqual(pids)
    expect(readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it.each([
    ['whose ckpt is dead', 0],
    ['that has been silent for long', passedOverAfter + 20],
  ])('passes over one that waits, %s', async (_, silent) => {
    const { state } = await freshState()
    const running = new Map([[1, '100']])
    const first = await acquireLock(storage, state, lockOptions(machine(owner()), {}))
    const waiting = lockOptions(machine(owner({ pid: 2 }), running), { wait: () => Promise.reject(new Stopped()) })
    await expect(acquireLock(storage, state, waiting)).rejects.toThrow(Stopped)
    const [left = ''] = readdirSync(state.path).filter((name) => name !== 'lock')
    if (silent > 0) running.set(2, '100')
    const then = Date.now() / 1000 - silent
    utimesSync(join(state.path, left), then, then)
    await first.release()
    await (await acquireLock(storage, state, lockOptions(machine(owner({ pid: 3 }), running)))).release()
  })
})
