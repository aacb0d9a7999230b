/** The one subclass of oclif's Command: how every ckpt command reads its flags, prints, fails and exits. */
import { resolve } from 'node:path'
import { Command, Flags, Parser, type Interfaces } from '@oclif/core'
import type { FilePosition } from '../core/formats/config-yaml.js'
import type { ParsedConfig } from './settings/settings-file.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import type { Hook } from '../core/jobs/hooks/index.js'
import { locateRun, type WalkOptions } from '../core/checkpoints/layouts/index.js'
import type { Storage } from '../core/storage/storage.js'
import { tellFailure, toFailure } from './failure.js'
import { expressionFlags } from './flags.js'
import { renderError, renderWarning } from '../render/messages.js'
import { toJson } from '../render/json.js'
import { Output } from '../render/output.js'
import { printable } from '../render/printable.js'
import { every, wait as pause } from '../machine/clock.js'
import { parseAge } from '../core/choosing/retention/index.js'
import type { StateLocation } from '../core/runs/index.js'
import { putBackGroups } from '../core/changes/disposal/index.js'
import { stateFolderOf, withLock, type LockOptions, type Owner } from '../core/changes/state/index.js'
import { processes } from '../machine/process-identity.js'
import { bytesProgress, interruptible, walkProgress, type WatchedWork, type Progress } from './progress.js'
import { loadSettings, type LeftOut } from './settings/files.js'
import { standardStream } from '../machine/standard-streams.js'
import { userStorage } from '../machine/user-storage.js'
import type { HookedFile } from './settings/hooks.js'

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof BaseCommand)['baseFlags'] & T['flags']>
export type ArgsOf<T extends typeof Command> = Interfaces.InferredArgs<T['args']>

/** Of `walkFlags`. */
interface WalkFlags {
  readonly exclude?: string[] | undefined
  readonly 'cross-file-systems'?: boolean | undefined
}

export abstract class BaseCommand<T extends typeof Command> extends Command {
  static override baseFlags = {
    json: Flags.boolean({ description: 'print one JSON document on stdout (docs/json.md)', helpGroup: 'GLOBAL' }),
    quiet: Flags.boolean({ char: 'q', description: 'no notes and warnings on stderr', helpGroup: 'GLOBAL' }),
    'no-config': Flags.boolean({
      description: 'leave ckpt.yaml and your own settings out (docs/configuration.md)',
      helpGroup: 'GLOBAL',
      env: 'CKPT_NO_CONFIG',
    }),
  }
  /**
   * Flags that make sense together only: where one of them is typed, none of the others is taken from a file. What
   * ranks is one question.
   */
  static together: readonly (readonly string[])[] = [['min', 'max', 'by', 'then-min', 'then-max']]

  /** The first argument stands for itself, and for no run below it. */
  static isExact = false

  /**
   * It changes nothing: settings that somebody else may have written, and files that hold none, are left out, which is
   * told; others refuse.
   */
  static isReader = false

  /** It is there to find mistakes in settings: a file that holds none is one. */
  static tellsMistakes = false

  protected flags!: FlagsOf<T>
  protected args!: ArgsOf<T>
  protected storage: Storage = userStorage((text) => this.alert(text))
  protected readonly output = new Output(
    standardStream('stdout', (error) => this.breakOff(error)),
    // There is nowhere left to tell it.
    standardStream('stderr', () => undefined),
    process.env,
  )
  /** Of what is under way. */
  private progress: Pick<Progress, 'clear'> | null = null
  /** Folders that a walk could not list. */
  protected readonly unreadable: { readonly path: string; readonly reason: string }[] = []
  private json = false
  private quiet = false
  private beside: Record<string, unknown> = {}

  /** Parses, runs and sets the exit status. Never rejects. */
  async execute(): Promise<void> {
    await this._run()
  }

  override async init(): Promise<void> {
    const end = this.argv.indexOf('--')
    this.json = (end === -1 ? this.argv : this.argv.slice(0, end)).includes('--json')
    // Else oclif warns of a command that failed before it had read its arguments.
    this.parsed = true
    const definitions: Interfaces.FlagInput = { ...this.ctor.baseFlags, ...this.ctor.flags }
    const { argv, takenBack } = takeBack(this.ownArguments(), definitions)
    const typed = await this.parseArguments(shieldExpressions(argv), lenient(definitions))
    const settings = await this.settingsFor(typed, takenBack, definitions)
    const { args, flags } = await this.parseArguments(shieldExpressions(argv), { ...definitions, ...settings })
    this.flags = flags as FlagsOf<T>
    this.args = args as ArgsOf<T>
    this.json = flags.json === true
    this.quiet = flags['quiet'] === true
    const yes = this.positions.get('yes')
    if (yes !== undefined) this.note(`nothing is asked: ${yes.path}:${yes.line} says yes`)
    this.tellLeftOut()
  }

  protected tellLeftOut(): void {
    for (const { path, reason } of this.leftOut) this.alert(`${path} is left out: ${reason}`)
  }

  /** Not oclif's own method: it runs hooks, for which every plugin would have to be loaded first. */
  private async parseArguments(argv: string[], flags: Interfaces.FlagInput) {
    const { args, strict } = this.ctor
    // oclif tells a mistake with the keys, help with the names.
    const named = Object.entries(args).map(([key, arg]) => ({ key, name: shownName(key, arg), arg }))
    const shown = Object.fromEntries(named.map(({ name, arg }) => [name, arg]))
    const parsed = await Parser.parse(argv, { flags, args: shown, strict, context: this })
    const found = parsed.args as Readonly<Record<string, unknown>>
    return { ...parsed, args: Object.fromEntries(named.map(({ key, name }) => [key, found[name]])) }
  }

  /** What files of settings say, as defaults of the flags. */
  private async settingsFor(
    { args, flags, metadata }: Parsed,
    takenBack: readonly string[],
    definitions: Interfaces.FlagInput,
  ): Promise<Interfaces.FlagInput> {
    const typed = Object.keys(flags).filter((name) => metadata.flags[name]?.setFromDefault !== true)
    this.given = new Set([...typed, ...takenBack])
    if (flags['no-config'] === true) return {}
    const [first] = Object.values(args).flat()
    const path = resolve(typeof first === 'string' ? first : '.')
    const folder = flags['recursive'] === true ? path : await this.settingsFolder(path)
    const { isReader, tellsMistakes } = this.constructor as typeof BaseCommand
    const leniency = { unreadable: isReader, mistaken: isReader && !tellsMistakes }
    const { files, leftOut } = await loadSettings(this.storage, folder, this.config.commandIDs, leniency)
    this.files = files
    this.leftOut = leftOut
    if (!isReader) refuseLeftOut(leftOut)
    if (files.length === 0) return {}
    if (files.some(({ layouts }) => layouts !== null)) (await import('./settings/layouts.js')).useLayoutsOf(files)
    const { applySettings } = await import('./settings/apply.js')
    const settings = await applySettings(files, {
      command: this.name,
      flags: definitions,
      together: (this.constructor as typeof BaseCommand).together,
      given: this.given,
    })
    const inForce = [...settings].filter(([, { value }]) => value !== null)
    this.positions = new Map(inForce.map(([name, { position }]) => [name, position]))
    return Object.fromEntries(
      Object.entries(definitions).flatMap(([name, definition]) => {
        const setting = settings.get(name)
        return setting === undefined || setting.value === null ? [] : [[name, withDefault(definition, setting.value)]]
      }),
    )
  }

  /** Flags that need no setting: those on the command line and of the environment. */
  protected given: ReadonlySet<string> = new Set()

  /**
   * The flags as they hold for one of several runs: what was typed, and what the files at and above that run say.
   * Throws CkptError `refused` where one may be somebody else's, ConfigError.
   */
  protected async flagsFor(run: string): Promise<FlagsOf<T>> {
    if (this.flags['no-config']) return this.flags
    const leniency = { unreadable: false, mistaken: false }
    const { files, leftOut } = await loadSettings(this.storage, run, this.config.commandIDs, leniency)
    refuseLeftOut(leftOut)
    const { applySettings } = await import('./settings/apply.js')
    const settings = await applySettings(files, {
      command: this.name,
      flags: { ...this.ctor.baseFlags, ...this.ctor.flags },
      together: (this.constructor as typeof BaseCommand).together,
      given: this.given,
    })
    const own = Object.entries(this.flags).filter(([name]) => !this.positions.has(name))
    const set = [...settings].flatMap(([name, { value }]) => (value === null ? [] : [[name, value] as const]))
    return Object.fromEntries([...own, ...set]) as FlagsOf<T>
  }

  /** Where the search for settings begins: the run that the first argument stands for, or what it names. */
  protected async settingsFolder(path: string): Promise<string> {
    return (this.constructor as typeof BaseCommand).isExact ? path : locateRun(this.storage, path)
  }

  /** The files of settings, the nearest first. */
  protected files: readonly ParsedConfig[] = []
  /** Files that may hold settings and are not taken, the nearest first. */
  protected leftOut: readonly LeftOut[] = []
  private readonly closing: (() => void)[] = []

  /** The hooks of the settings. Throws ConfigError. */
  protected async hooks(): Promise<readonly Hook[]> {
    if (this.files.every(({ hooks }) => hooks === null)) return []
    return (await import('./settings/hooks.js')).hooksIn(this.files)
  }

  /** From here on these files are read through their load hooks; what those make is removed at the end. */
  protected async readThroughHooks(files: readonly HookedFile[]): Promise<Storage> {
    const hooks = await this.hooks()
    if (hooks.length === 0) return this.storage
    const { loadThrough } = await import('./settings/hooks.js')
    const loaded = await interruptible((signal) => loadThrough(this.storage, hooks, files, signal))
    if (loaded === null) return this.storage
    this.storage = loaded.storage
    this.closing.push(loaded.close)
    return this.storage
  }

  /** The same for core, which finds the files itself. */
  protected readonly readingHooks = { readThrough: (files: readonly HookedFile[]) => this.readThroughHooks(files) }

  override async finally(): Promise<void> {
    for (const close of this.closing) close()
  }

  /** Of flags that a file has set. */
  protected positions: ReadonlyMap<string, FilePosition> = new Map()

  /** As it is typed: `trash empty`. */
  private get name(): string {
    return (this.id ?? '').replaceAll(':', ' ')
  }

  /** The arguments that are for ckpt itself. */
  protected ownArguments(): string[] {
    return this.argv
  }

  /** Unix seconds. */
  protected now(): number {
    return Date.now() / 1000
  }

  /** Prints the answer: the document with --json, made when it is wanted where it is large, else what `text` makes of it. */
  protected answer(document: object | null | undefined | (() => object), text: () => string | Iterable<string>): void {
    if (this.json) this.output.data(`${toJson(typeof document === 'function' ? document() : document)}\n`)
    else this.output.dataLines(text())
  }

  /** A note on stderr. */
  protected note(text: string): void {
    if (this.quiet) return
    this.progress?.clear()
    this.output.message(text)
  }

  protected alert(text: string): void {
    if (this.quiet) return
    this.progress?.clear()
    this.output.message(renderWarning(text, this.output.errorColours))
  }

  /** Runs what may take long: with progress on a terminal, and stopping cleanly at Ctrl-C. */
  protected async long<T>(title: string, work: (options: WatchedWork) => Promise<T>): Promise<T> {
    const progress = bytesProgress(this.output, title, Date.now)
    this.progress = progress
    try {
      return await interruptible((signal) => work({ signal, onProgress: progress.onProgress }))
    } finally {
      progress.clear()
      this.progress = null
    }
  }

  /**
   * A search for runs: with progress on a terminal, and stopping cleanly at Ctrl-C. A folder that cannot be listed is
   * told once and ends nothing; the exit status is then that of something partly done.
   */
  protected async walk<T>(
    { exclude, 'cross-file-systems': crossFileSystems }: WalkFlags,
    work: (options: WalkOptions) => Promise<T>,
  ): Promise<T> {
    const progress = walkProgress(this.output, Date.now)
    this.progress = progress
    const onUnreadable = (path: string, reason: string) => {
      this.unreadable.push({ path, reason })
      this.alert(`${printable(path)} could not be read: ${reason}`)
      process.exitCode = exitStatusOf.partial
    }
    const shared = { exclude, crossFileSystems, onUnreadable, onProgress: progress.onProgress }
    try {
      return await interruptible((signal) => work({ ...shared, signal }))
    } finally {
      progress.clear()
      this.progress = null
    }
  }

  /**
   * What a change of a run takes: its lock, waited for as long as --wait says, and where state lies. `signal` ends the
   * wait.
   */
  protected changing(wait: string, state: string | undefined, signal?: AbortSignal): LockOptions & StateLocation {
    return {
      processes: processes(`ckpt ${this.name}`.trim()),
      now: () => this.now(),
      wait: pause,
      every,
      patience: parseAge('wait', wait),
      onWait: (holder) => this.note(`waiting for ${holder}, which is changing the run`),
      stateDirectory: state,
      ...(signal === undefined ? {} : { signal }),
    }
  }

  /** Who this is, for the journal. */
  protected get self(): Owner {
    return processes(`ckpt ${this.name}`.trim()).self
  }

  /** Runs `work` under the run's lock; where the state folder cannot be written, without one, which is told. */
  protected async locked<T>(
    run: string,
    { wait, state }: { readonly wait: string; readonly state?: string | undefined },
    work: () => Promise<T>,
  ): Promise<T> {
    const folder = await stateFolderOf(this.storage, run, state)
    const onUnlocked = ({ message }: CkptError) =>
      this.alert(`no lock on the run, for ckpt's state cannot be written: ${message}`)
    return interruptible((signal) =>
      withLock(this.storage, folder, { ...this.changing(wait, state, signal), onUnlocked }, async () => {
        await putBackGroups(this.storage, run, folder)
        return work()
      }),
    )
  }

  protected get wantsJson(): boolean {
    return this.json
  }

  /** The error's document will hold this too. */
  protected failWith(document: Record<string, unknown>): void {
    this.beside = document
  }

  /** What was asked for did not reach its reader: a full disk behind a redirection. */
  private breakOff(error: Error): void {
    const message = `the output could not be written: ${error.message}`
    this.output.message(renderError({ message }, this.output.errorColours))
    process.exitCode = exitStatusOf.system
  }

  override async catch(error: unknown): Promise<void> {
    const flags = Object.keys({ ...this.ctor.baseFlags, ...this.ctor.flags })
    const failure = toFailure(error, flags)
    tellFailure(this.output, failure, this.json ? toJson : null, this.beside)
    process.exitCode = failure.exitStatus
  }
}

/**
 * oclif takes a value that begins with `-` (`--by -rmse`) for short flags. A leading space keeps it whole; the flags'
 * own parsers do not mind it.
 */
function shieldExpressions(argv: readonly string[]): string[] {
  const shielded: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? ''
    if (argument === '--') return [...shielded, ...argv.slice(index)]
    const equals = argument.indexOf('=')
    const name = equals === -1 ? argument : argument.slice(0, equals)
    const value = equals === -1 ? argv[index + 1] : argument.slice(equals + 1)
    if (!expressionFlags.has(name) || value === undefined) shielded.push(argument)
    else {
      shielded.push(name, ` ${value}`)
      if (equals === -1) index++
    }
  }
  return shielded
}

/** As help shows it: `FILE|CHECKPOINT`. oclif's types promise a name that need not be there. */
function shownName(key: string, arg: Interfaces.ArgInput[string]): string {
  const { name = key } = arg as { readonly name?: string }
  return name.includes('.') ? name : name.toUpperCase()
}

/** Throws CkptError `refused`: without its settings a command that changes something might do what they forbid. */
function refuseLeftOut([first]: readonly LeftOut[]): void {
  if (first === undefined) return
  throw new CkptError('refused', `${first.path}: its settings and hooks are not taken: ${first.reason}`, {
    hint: `${first.hint}, or leave settings out with --no-config`,
  })
}

interface Parsed {
  readonly args: Readonly<Record<string, unknown>>
  readonly flags: Readonly<Record<string, unknown>>
  readonly metadata: { readonly flags: Readonly<Record<string, { readonly setFromDefault?: boolean } | undefined>> }
}

/**
 * `--no-FLAG` takes back what a file says of that flag. The arguments without such, and the flags that are meant;
 * `--no-keep-recent` and the like are flags of their own.
 */
function takeBack(argv: readonly string[], flags: Interfaces.FlagInput): { argv: string[]; takenBack: string[] } {
  const takenBack: string[] = []
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  const kept = argv.filter((argument, index) => {
    const name = argument.slice('--no-'.length)
    const isMeant = index < end && argument.startsWith('--no-') && !(argument.slice(2) in flags) && name in flags
    if (isMeant) takenBack.push(name)
    return !isMeant
  })
  return { argv: kept, takenBack }
}

/** For a first look: what a file may still add is not asked for. */
function lenient(flags: Interfaces.FlagInput): Interfaces.FlagInput {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, { ...flag, required: false, dependsOn: [], relationships: [] }]),
  )
}

/** The value is what the flag's own parser gave, which oclif's types cannot know. */
function withDefault(flag: FlagDefinition, value: unknown): FlagDefinition {
  const copy = { ...flag }
  Reflect.set(copy, 'default', value)
  return copy
}

type FlagDefinition = Interfaces.FlagInput[string]
