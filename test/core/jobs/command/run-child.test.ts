import { describe, expect, it } from 'vitest'
import { runChild, type ChildEnd, type SignalName, type Signals } from '../../../../src/core/jobs/command/run-child.js'

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A child that ends when told to, and signals that the test sends. */
function scene(isForeground = false) {
  const listeners = new Map<SignalName, () => void>()
  const sent: SignalName[] = []
  const end = deferred<ChildEnd>()
  const started = deferred<undefined>()
  const signals: Signals = {
    listen(signal, listener) {
      listeners.set(signal, listener)
      return () => listeners.delete(signal)
    },
    isForeground: () => isForeground,
  }
  const running = runChild(
    async () => {
      await started.promise
      return { send: (signal) => sent.push(signal), ended: end.promise }
    },
    signals,
    'train',
    [],
    {},
  )
  return { running, sent, listeners, started, end, raise: (signal: SignalName) => listeners.get(signal)?.() }
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('signals', () => {
  it('go on to the child', async () => {
    const { raise, sent, started } = scene()
    started.resolve(undefined)
    await settle()
    const all: SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']
    all.forEach(raise)
    expect(sent).toEqual(all)
  })

  it('do not come twice when a terminal has sent them to the child already', async () => {
    const { raise, sent, started } = scene(true)
    started.resolve(undefined)
    await settle()
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1'] as const) raise(signal)
    expect(sent).toEqual(['SIGTERM', 'SIGUSR1'])
  })

  it('that arrive before it has started reach it then', async () => {
    const { raise, sent, started } = scene()
    raise('SIGTERM')
    started.resolve(undefined)
    await settle()
    expect(sent).toEqual(['SIGTERM'])
  })

  it('are no longer listened to once it has ended', async () => {
    const { running, listeners, started, end } = scene()
    expect(listeners.size).toBe(6)
    started.resolve(undefined)
    end.resolve({ kind: 'exited', status: 0 })
    await running
    expect(listeners.size).toBe(0)
  })
})

it.each<[ChildEnd, number, string | null]>([
  [{ kind: 'exited', status: 7 }, 7, null],
  [{ kind: 'killed', signal: 9, name: 'SIGKILL' }, 137, null],
  [{ kind: 'unstarted', errno: 'ENOENT' }, 127, 'train: command not found'],
  [{ kind: 'unstarted', errno: 'EACCES' }, 126, 'train: not executable (permission denied)'],
  [{ kind: 'unstarted', errno: 'EMFILE' }, 126, 'train: could not be started (EMFILE)'],
])('gives the status a shell would for %o', async (ended, status, failure) => {
  const { running, started, end } = scene()
  started.resolve(undefined)
  end.resolve(ended)
  expect(await running).toEqual({ status, failure })
})
