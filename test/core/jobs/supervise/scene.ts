/** Jobs that are only told of, in a machine whose time the test moves: a night of training in milliseconds. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { whenTestIsOver } from '../../../when-over.js'
import { Journal, type JournalEntry } from '../../../../src/core/changes/journal/index.js'
import type { ChildEnd, SignalName } from '../../../../src/core/jobs/command/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import {
  supervise,
  usualLimits,
  type Chores,
  type JobProcess,
  type Outcome,
  type JobPlan,
  type Machine,
} from '../../../../src/core/jobs/supervise/index.js'

/** Unix seconds at which every scene begins. */
export const dawn = 1_700_000_000

/** One attempt, as the test tells it: what happens at which second after its start. */
export type Story = (job: Told) => void

/** What a story may do. */
export interface Told {
  /** After so many seconds. */
  at(seconds: number, act: () => void): void
  exit(status: number): void
  kill(signal: NodeJS.Signals): void
  /** From now on it has this file open: its path in the run. */
  open(path: string): void
  /** It reads it all between two looks: only the file system knows, in a scene where it notes that. */
  read(path: string): void
  /** A whole checkpoint of this epoch appears. */
  save(epoch: number, meta?: Readonly<Record<string, number>>): void
  print(bytes: number): void
  /** The kernel kills a process of its control group for want of memory. */
  runOutOfMemory(): void
  /** Answers a signal in place of dying of it. */
  on(signal: SignalName, act: () => void): void
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

export interface Scene {
  readonly run: string
  readonly plan: JobPlan
  readonly told: readonly string[]
  /** The command lines that were started. */
  readonly started: readonly (readonly string[])[]
  readonly environments: readonly Readonly<Record<string, string>>[]
  /** Sent to each attempt's processes. */
  readonly sent: readonly (readonly string[])[]
  readonly entries: () => readonly JournalEntry[]
  readonly save: (epoch: number, meta?: Readonly<Record<string, number>>) => string
  /** A signal for ckpt after so many seconds from the beginning. */
  readonly raise: (seconds: number, signal: SignalName) => void
  /** Supervises to the end; each start takes the next story, and the last one is told again and again. */
  readonly play: (stories: readonly Story[], chores?: Partial<Chores>) => Promise<Outcome>
  readonly now: () => number
}

const folders: string[] = []

whenTestIsOver(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})

export function scene(
  more: Partial<JobPlan> = {},
  { isForeground = false, isApart = false, outputIsFile = false, notesAccess = false } = {},
): Scene {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-supervise-')))
  folders.push(folder)
  const run = more.path ?? join(folder, 'exp', 'save')
  const clock = new Clock()
  const storage = localStorage()
  const told: string[] = []
  const started: string[][] = []
  const environments: Readonly<Record<string, string>>[] = []
  const sent: string[][] = []
  const listeners = new Map<SignalName, () => void>()
  const read = new Set<string>()
  let output = 0
  let kills = 0
  const plan: JobPlan = { ...usualPlan(run), ...more }
  const save = (epoch: number, meta: Readonly<Record<string, number>> = {}) => saveAt(run, epoch, clock.now, meta)
  let journal: Journal | undefined

  const machine = (stories: readonly Story[]): Machine => ({
    now: () => clock.now,
    sleep: (milliseconds, signal) => clock.sleep(milliseconds / 1000, signal),
    random: () => 1,
    start: async (command, args, environment) => {
      const story = stories[Math.min(started.length, stories.length - 1)]
      const told = new ToldProcess(clock, isApart, args, environment, run, {
        save,
        print: (bytes) => (output += bytes),
        runOutOfMemory: () => (kills += 1),
        read: (path) => void read.add(join(run, path)),
      })
      started.push([command, ...args])
      environments.push(environment)
      sent.push(told.sent)
      story?.(told)
      return told
    },
    signals: {
      listen(signal, listener) {
        listeners.set(signal, listener)
        return () => listeners.delete(signal)
      },
      isForeground: () => isForeground,
    },
    oomKills: () => ({ group: kills, machine: kills }),
    noteAccess: (paths) => () => (notesAccess ? paths.some((path) => read.has(path)) : null),
    outputSize: () => (outputIsFile ? output : null),
    tell: (text) => told.push(text),
  })

  return {
    run,
    plan,
    told,
    started,
    environments,
    sent,
    entries: () => journal?.entries ?? [],
    save,
    raise: (seconds, signal) => clock.at(seconds, () => listeners.get(signal)?.()),
    now: () => clock.now - dawn,
    async play(stories, chores = {}) {
      const state = await stateFolderOf(storage, run)
      mkdirSync(join(folder, 'exp'), { recursive: true })
      journal = await Journal.open(storage, state, (error) => told.push(error.message))
      const nothing = async () => undefined
      const ending = supervise(machine(stories), storage, journal, plan, {
        onCheckpoint: nothing,
        onEnd: nothing,
        clearObstacles: async () => [],
        setAside: nothing,
        takeBack: nothing,
        stopAsked: async () => null,
        ...chores,
      })
      return clock.until(ending)
    },
  }
}

function usualPlan(path: string): JobPlan {
  return {
    path,
    command: ['train'],
    resumeArgs: [],
    resume: { from: { kind: 'newest' }, verify: 'quick', keys: [], leavesDamaged: false },
    environment: {},
    limits: usualLimits,
    backOff: { first: 10, cap: 300 },
    noRetryOn: new Set(),
    requeueOn: new Set([85]),
    minUptime: 10,
    grace: 30,
    stall: null,
    watch: [],
    interval: { least: 5, most: 5 },
    batch: null,
    warning: null,
    checkpointSignal: null,
    again: false,
    setAsideAfter: 3,
    enough: { patience: null, when: [] },
    stop: { signal: 'SIGTERM', file: null },
    simulations: [],
    host: 'here',
  }
}

function saveAt(run: string, epoch: number, time: number, meta: Readonly<Record<string, number>>): string {
  const name = `CKPT+ep${String(epoch).padStart(3, '0')}`
  const path = join(run, name)
  mkdirSync(path, { recursive: true })
  const lines = Object.entries({ epoch, ...meta }).map(([key, value]) => `${key}: ${value}`)
  writeFileSync(join(path, 'model.ckpt'), `weights ${epoch}`)
  writeFileSync(join(path, 'CKPT.yaml'), `unixtime: ${time.toFixed(3)}\n${lines.join('\n')}\n`)
  for (const file of ['model.ckpt', 'CKPT.yaml', '']) utimesSync(join(path, file), time - 7200, time - 7200)
  return name
}

class ToldProcess implements JobProcess, Told {
  readonly pid = 4711
  readonly started = '100'
  readonly sent: string[] = []
  readonly ended: Promise<ChildEnd>
  private readonly answers = new Map<string, () => void>()
  private readonly files: string[] = []
  private isOver = false
  private end: (end: ChildEnd) => void = () => undefined

  constructor(
    private readonly clock: Clock,
    readonly isApart: boolean,
    readonly args: readonly string[],
    readonly environment: Readonly<Record<string, string>>,
    private readonly run: string,
    private readonly deeds: Pick<Told, 'save' | 'print' | 'runOutOfMemory' | 'read'>,
  ) {
    this.ended = new Promise((resolve) => (this.end = resolve))
  }

  get save(): Told['save'] {
    return this.deeds.save
  }

  get print(): Told['print'] {
    return this.deeds.print
  }

  get read(): Told['read'] {
    return this.deeds.read
  }

  get runOutOfMemory(): Told['runOutOfMemory'] {
    return this.deeds.runOutOfMemory
  }

  at(seconds: number, act: () => void): void {
    this.clock.at(seconds, () => {
      if (!this.isOver) act()
    })
  }

  on(signal: SignalName, act: () => void): void {
    this.answers.set(signal, act)
  }

  exit(status: number): void {
    this.isOver = true
    this.end({ kind: 'exited', status })
  }

  kill(signal: NodeJS.Signals): void {
    this.isOver = true
    this.end({ kind: 'killed', signal: constants.signals[signal], name: signal })
  }

  send(signal: SignalName | 'SIGKILL'): void {
    this.sent.push(signal)
    if (this.isOver) return
    const answer = this.answers.get(signal)
    if (answer === undefined) this.kill(signal)
    else answer()
  }

  sendIfCaught(signal: SignalName): boolean {
    if (this.isOver || !this.answers.has(signal)) return false
    this.send(signal)
    return true
  }

  open(path: string): void {
    this.files.push(join(this.run, path))
  }

  filesOpenToRead(): readonly string[] {
    return this.files
  }

  remains(): boolean {
    return !this.isOver
  }
}

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** Time that passes only when everybody waits. */
class Clock {
  now = dawn
  private timers: Timer[] = []

  at(seconds: number, fire: () => void): void {
    this.timers.push({ at: this.now + seconds, fire })
    this.timers.sort((a, b) => a.at - b.at)
  }

  sleep(seconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake)
        resolve()
      }
      if (signal.aborted) resolve()
      signal.addEventListener('abort', wake)
      this.at(seconds, wake)
    })
  }

  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = () => (isDone = true)
    work.then(done, done)
    for (let moments = 0; moments < 100_000; moments += 1) {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it changes while others run
      if (isDone) return work
      const next = this.timers.shift()
      if (next === undefined) continue
      this.now = Math.max(this.now, next.at)
      next.fire()
    }
    throw new Error('the scene has no end')
  }
}
