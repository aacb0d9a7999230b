/** What supervising needs of the machine: time, chance, processes and signals, all passed in. */
import type { ChildEnd, SignalName, Signals } from '../command/index.js'

/** A started command with all that it has started. */
export interface JobProcess {
  /** Null where it could not be started. */
  readonly pid: number | null
  /** When it started, in the system's own unit; null where that is unknown. */
  readonly started: string | null
  /** In a session of its own: what a terminal sends to our group does not reach it. */
  readonly isApart: boolean
  /** Sends to all of its processes. Never fails: those that are gone are gone. */
  send(signal: SignalName | 'SIGKILL' | 'SIGCONT'): void
  /** Sends to those of its processes that catch the signal; false where none is known to. */
  sendIfCaught(signal: SignalName): boolean
  /** Some of its processes are there, whether the first one is or not; null where nothing tells those of others apart. */
  remains(): boolean | null
  /** Absolute paths, links resolved, of what they have open for reading or mapped; null where nothing tells. */
  filesOpenToRead(): readonly string[] | null
  /** How the first of them ended. */
  readonly ended: Promise<ChildEnd>
}

/** Starts a command with the standard streams and the working directory of ours. */
export type StartJob = (
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
) => Promise<JobProcess>

/** Processes that the kernel has killed because it was out of memory since it was started; null where nothing tells. */
export interface OomKills {
  /** Of the control group that the job was started in. */
  readonly group: number | null
  /** Of the whole machine. */
  readonly machine: number | null
}

export interface Machine {
  /** Unix seconds. */
  readonly now: () => number
  /** Resolves after that many milliseconds, or as soon as the signal aborts. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>
  /** From 0 to 1. */
  readonly random: () => number
  readonly start: StartJob
  readonly signals: Signals
  readonly oomKills: () => OomKills
  /**
   * Of these files (absolute, links resolved). Asked later, the answer is true where one was read in between, by whatever
   * program; false where none was; null where nothing tells.
   */
  readonly noteAccess: (paths: readonly string[]) => () => boolean | null
  /** Bytes of the job's standard output where that is a file; null where it is none. */
  readonly outputSize: () => number | null
  /** For people, on stderr. */
  readonly tell: (text: string) => void
}
