/** Starting a hook's process, as core asks for it (core/jobs/hooks/run.ts). */
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import type { HookEnd, HookFolder, HookProcess, RunProcess } from '../core/jobs/hooks/index.js'
import { leadsThroughDescriptors, O_PATH } from '../core/storage/open-folder.js'
import { spawned } from './spawned.js'

/** Bytes of its output that are kept: the last. */
const longestOutput = 1 << 16
/** Milliseconds between SIGTERM and SIGKILL. */
const grace = 5000
/** Milliseconds for output that is still under way when the command has ended. */
const lastWords = 500

/** Environment variables of an outer hook or job, which this hook would mistake for its own. */
const outer = /^CKPT_(SOURCE|TARGET|TEMPLATE|KEY|PATH|NAME|STEP)$/

/**
 * In a process group of its own, so that all of it can be stopped: what a shell started, too. Once the command itself
 * has ended, so does what it left behind, for that could still write into what is being made.
 */
export const runHookProcess: RunProcess = (wanted) =>
  new Promise((resolve) => {
    const output = new Tail(longestOutput)
    const child = startOf(wanted)
    if (typeof child === 'string') {
      resolve({ reason: { kind: 'unstarted', errno: child }, output: '' })
      return
    }
    child.stdout.on('data', (bytes: Buffer) => output.add(bytes))
    child.stderr.on('data', (bytes: Buffer) => output.add(bytes))
    const stopped = stopWhenAsked(child, wanted)
    const end = (reason: HookEnd['reason']) => {
      stopped.forget()
      resolve({ reason, output: output.text })
    }
    child.once('error', (error: NodeJS.ErrnoException) =>
      end({ kind: 'unstarted', errno: error.code ?? error.message }),
    )
    child.once('exit', () => {
      signalGroup(child, 'SIGKILL')
      // What has left the group may hold the streams for ever.
      setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), lastWords).unref()
    })
    child.once('close', (status, signal) => {
      if (child.pid === undefined) return
      end(stopped.why() ?? (signal === null ? { kind: 'exited', status: status ?? 0 } : { kind: 'killed', signal }))
    })
  })

function startOf(wanted: HookProcess): ChildProcessByStdio<null, Readable, Readable> | string {
  const { command, args, folder } = wanted
  const env = environmentFor(wanted)
  return inFolder(folder, (cwd) =>
    spawned(() => spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })),
  )
}

/**
 * Calls with a path to the very folder that was looked at, which the child enters before it becomes the command; gives
 * the system's code where another one lies there now.
 */
function inFolder<T>({ path, identity }: HookFolder, start: (cwd: string) => T): T | string {
  if (identity === null || !leadsThroughDescriptors()) return start(path)
  let fd: number
  try {
    fd = openSync(path, O_PATH)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'ENOENT'
  }
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return dev === identity.device && ino === identity.inode ? start(`/proc/self/fd/${fd}`) : 'ESTALE'
  } finally {
    closeSync(fd)
  }
}

function environmentFor({ environment }: HookProcess): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !outer.test(name))
  return { ...Object.fromEntries(inherited), ...environment }
}

interface Stopping {
  /** Null while nothing has asked for it. */
  readonly why: () => HookEnd['reason'] | null
  readonly forget: () => void
}

function stopWhenAsked(child: ChildProcess, { timeout, signal }: HookProcess): Stopping {
  let why: HookEnd['reason'] | null = null
  let kill: NodeJS.Timeout | undefined
  const stop = (reason: HookEnd['reason']) => {
    why ??= reason
    signalGroup(child, 'SIGTERM')
    kill ??= setTimeout(() => signalGroup(child, 'SIGKILL'), grace)
  }
  const onAbort = () => stop({ kind: 'stopped' })
  const timer = timeout === null ? undefined : setTimeout(() => stop({ kind: 'timed-out' }), timeout * 1000)
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort)
  return {
    why: () => why,
    forget: () => {
      clearTimeout(timer)
      clearTimeout(kill)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

/** A group that has ended already is not a mistake. */
function signalGroup({ pid }: ChildProcess, name: keyof typeof constants.signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
  }
}

/** The last bytes of what may be much. */
class Tail {
  private bytes = Buffer.alloc(0)

  constructor(private readonly most: number) {}

  add(more: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, more]).subarray(-this.most)
  }

  get text(): string {
    return this.bytes.toString('utf8')
  }
}
