/**
 * The shell of a batch script, while it waits for ckpt. Slurm sends the warning of `--signal=B:USR1@120` to that shell
 * alone. bash, without a trap, dies of it at once, and Slurm kills the rest of the job; with one it runs the trap when
 * ckpt has ended. `exec ckpt run …` puts ckpt in the shell's place, and nothing is needed. Otherwise, where the user
 * asked for it (`--hold-batch-shell`), the shell, which does nothing but wait, is stopped: a stopped process keeps a signal pending, where it can be seen (proc(5), ShdPnd).
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { SignalName, Signals } from '../core/jobs/command/index.js'
import { hasSignal } from './signal-set.js'

/** Milliseconds between two looks. */
const interval = 1000

export interface BatchShellOptions {
  /** The shell may be stopped for that. */
  readonly mayHold: boolean
  /** Gets a warning where it may not, and would die of the signal. */
  readonly tell: (text: string) => void
}

/** The signals of this process, with those that end at the batch shell. */
export function withBatchShell(
  signals: Signals,
  environment: NodeJS.ProcessEnv,
  { mayHold, tell }: BatchShellOptions,
): Signals {
  const pid = environment['SLURM_TASK_PID']
  if (pid === undefined || !/^\d+$/.test(pid) || Number(pid) !== process.ppid) return signals
  const shell = new BatchShell(process.ppid, mayHold)
  if (!mayHold && wouldDieOf(process.ppid, 'SIGUSR1') && waitsForUsAlone(process.ppid)) {
    tell('the shell of the batch script would die of a warning signal: start ckpt with exec, or add --hold-batch-shell')
  }
  return {
    isForeground: () => signals.isForeground(),
    listen(signal, listener) {
      const stop = signals.listen(signal, listener)
      if (!concerned.has(signal)) return stop
      const release = shell.listen(signal, listener)
      return () => {
        release()
        stop()
      }
    },
  }
}

/** The others reach ckpt by themselves. */
const concerned: ReadonlySet<SignalName> = new Set(['SIGUSR1', 'SIGUSR2', 'SIGTERM'])

class BatchShell {
  private isHeld = false

  constructor(
    private readonly pid: number,
    private readonly mayHold: boolean,
  ) {}

  listen(signal: SignalName, listener: () => void): () => void {
    let hasWarned = false
    const look = () => {
      if (hasWarned || !this.has(signal)) return
      hasWarned = true
      listener()
    }
    look()
    const timer = setInterval(look, interval)
    timer.unref()
    return () => clearInterval(timer)
  }

  /** Without its shell the job is over, whatever killed it: that is as good as a SIGTERM. */
  private has(signal: SignalName): boolean {
    if (signal === 'SIGTERM') return process.ppid !== this.pid
    this.isHeld ||= this.mayHold && wouldDieOf(this.pid, signal) && waitsForUsAlone(this.pid) && hold(this.pid)
    return hasSignal(this.pid, 'ShdPnd', signal)
  }
}

/** It neither catches nor ignores the signal. */
function wouldDieOf(pid: number, signal: SignalName): boolean {
  return !hasSignal(pid, 'SigCgt', signal) && !hasSignal(pid, 'SigIgn', signal)
}

/** A script that has started something else beside ckpt has more to do than to wait for it. */
function waitsForUsAlone(pid: number): boolean {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim()
  return children === String(process.pid) && read(`/proc/${pid}/wchan`).includes('do_wait')
}

/** However ckpt ends, the pipe to this guard closes, and the shell goes on. */
function hold(pid: number): boolean {
  const script = `trap '' HUP INT QUIT TERM USR1 USR2; kill -STOP ${pid}; read -r _; kill -CONT ${pid}`
  const guard = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.on('error', () => undefined)
  guard.unref()
  // A pipe to a child is a socket, which would keep this process alive.
  if (guard.stdin instanceof Socket) guard.stdin.unref()
  return true
}

/** Empty where it cannot be read, or is not there. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
