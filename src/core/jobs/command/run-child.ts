/** One command in the foreground: it has the terminal and gets the signals; its status is ours. */

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR1' | 'SIGUSR2'

const forwarded: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']

/** What a terminal sends to the whole foreground group by itself: Ctrl-C and Ctrl-\. */
const fromTerminal: ReadonlySet<SignalName> = new Set(['SIGINT', 'SIGQUIT'])

/** How a process ended: it exited, was killed, or never started. */
export type ChildEnd =
  | { readonly kind: 'exited'; readonly status: number }
  /** `signal` is the system's number, 9 for SIGKILL. */
  | { readonly kind: 'killed'; readonly signal: number; readonly name: string }
  /** `errno` is the system's code: ENOENT, EACCES, E2BIG. */
  | { readonly kind: 'unstarted'; readonly errno: string }

export interface Child {
  send(signal: SignalName): void
  readonly ended: Promise<ChildEnd>
}

/** What starts a process with the standard streams, the group and the working directory of ours. */
export type StartChild = (
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
) => Promise<Child>

/** The signals that arrive at this process. */
export interface Signals {
  /** From here on the signal no longer ends this process; the answer takes that back. */
  listen(signal: SignalName, listener: () => void): () => void
  /** True when a terminal has this process in its foreground group, and so the child too. */
  isForeground(): boolean
}

export interface ChildOutcome {
  /** The exit status: 128 + N when killed by signal N, 127 when not found, 126 when it could not be started. */
  readonly status: number
  /** For stderr, when it never started. */
  readonly failure: string | null
}

/**
 * Runs the command to its end. Signals go on to it, but for those that the terminal has sent it already: a Ctrl-C
 * must not come twice. Those that arrive before it has started reach it then.
 */
export async function runChild(
  start: StartChild,
  signals: Signals,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ChildOutcome> {
  let child: Child | null = null
  const early: SignalName[] = []
  const stops = forwarded.map((signal) =>
    signals.listen(signal, () => {
      if (child === null) early.push(signal)
      else if (!fromTerminal.has(signal) || !signals.isForeground()) child.send(signal)
    }),
  )
  try {
    child = await start(command, args, environment)
    for (const signal of early) child.send(signal)
    return outcomeOf(command, await child.ended)
  } finally {
    for (const stop of stops) stop()
  }
}

/** The exit status and the words that a shell would have for it. */
export function outcomeOf(command: string, end: ChildEnd): ChildOutcome {
  if (end.kind === 'exited') return { status: end.status, failure: null }
  if (end.kind === 'killed') return { status: 128 + end.signal, failure: null }
  if (end.errno === 'ENOENT') return { status: 127, failure: `${command}: command not found` }
  return { status: 126, failure: `${command}: ${reasons[end.errno] ?? `could not be started (${end.errno})`}` }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'not executable (permission denied)',
  E2BIG: 'the arguments and the environment are too long for the system',
  ENOMEM: 'no memory left to start it',
  EAGAIN: 'no more processes may be started',
}
