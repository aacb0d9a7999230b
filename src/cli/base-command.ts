/** What every ckpt command is: a class whose flags and arguments are read, which runs, and which tells how it failed. */
import { Flags, type Interfaces } from '@oclif/core'
import { nameOf, type Description } from './command-line/described-command.js'
import { asksForJson } from './command-line/parse-arguments.js'
import type { CommandClass, Program } from './command-line/program.js'
import { emptyRequest, flagsForRun, readRequest, type Asker, type Request, type TypedFlags } from './request.js'
import { ReadingCommand } from './reading-command.js'
import { lockOptions, ownerFor, withRunLock } from './run-lock.js'
import { positionsOf } from './settings/command-settings.js'
import { locateRun } from '../core/checkpoints/layouts/index.js'
import { StorageError } from '../core/errors.js'
import type { Hook } from '../core/jobs/hooks/index.js'
import { sparing } from '../machine/spare-memory.js'

export type FlagsOf<T extends Description> = Interfaces.InferredFlags<(typeof BaseCommand)['baseFlags'] & T['flags']>
export type ArgsOf<T extends Description> = Interfaces.InferredArgs<T['args']>

export abstract class BaseCommand<T extends Description> extends ReadingCommand {
  static override baseFlags = {
    json: Flags.boolean({ description: 'print one JSON document on stdout (docs/json.md)', helpGroup: 'GLOBAL' }),
    quiet: Flags.boolean({ char: 'q', description: 'no notes and warnings on stderr', helpGroup: 'GLOBAL' }),
    'no-config': Flags.boolean({
      description: 'leave ckpt.yaml and your own settings out (docs/configuration.md)',
      helpGroup: 'GLOBAL',
      env: 'CKPT_NO_CONFIG',
    }),
  }

  protected flags!: FlagsOf<T>
  protected args!: ArgsOf<T>
  private asked: Request = emptyRequest
  protected readonly closing: (() => void)[] = []

  constructor(
    protected argv: string[],
    protected readonly program: Program,
  ) {
    super()
  }

  /** Oclif takes what has this for a command (scripts/help.mjs). */
  static run(this: CommandClass, argv: string[], program: Program): Promise<void> {
    return new this(argv, program).execute()
  }

  /** Parses, runs and sets the exit status. Never rejects. */
  async execute(): Promise<void> {
    try {
      await this.init()
      await this.run()
    } catch (error) {
      this.reporter.fail(await this.explained(error), this.failed)
    } finally {
      for (const close of this.closing) close()
    }
  }

  /** A file that is named on the command line may be mistyped. */
  private async explained(error: unknown): Promise<unknown> {
    if (!(error instanceof StorageError)) return error
    const { withPathsNear } = await import('../core/checkpoints/layouts/near-paths.js')
    return withPathsNear(this.storage, error)
  }

  protected async init(): Promise<void> {
    const { spareMemory } = this.program
    if (this.described.looksDeep && spareMemory) this.readFrom(sparing(this.storage, spareMemory))
    this.reporter.wantsJson = asksForJson(this.argv)
    this.reporter.isLineByLine = this.described.isLineByLine
    this.asked = await readRequest(this.ownArguments(), this.asker)
    const { flags, args } = this.asked
    this.flags = flags as FlagsOf<T>
    this.args = args as ArgsOf<T>
    this.reporter.wantsJson = flags['json'] === true
    this.reporter.isQuiet = flags['quiet'] === true
    const yes = this.positions.get('yes')
    if (yes !== undefined) this.note(`nothing is asked: ${yes.path}:${yes.line} says yes`)
    this.tellLeftOut()
  }

  private get asker(): Asker {
    const { described: command, program, storage } = this
    return { command, program, storage, settingsFolder: (path, flags) => this.settingsFolder(path, flags) }
  }

  /** The arguments that are for ckpt itself. */
  protected ownArguments(): string[] {
    return this.argv
  }

  /** Where the search for settings begins: the run that the first argument stands for, or what it names. */
  protected async settingsFolder(path: string, flags: TypedFlags): Promise<string> {
    return this.described.isExact || flags['recursive'] === true ? path : locateRun(this.reading, path)
  }

  protected tellLeftOut(): void {
    for (const { path, reason } of this.leftOut) this.alert(`${path} is left out: ${reason}`)
  }

  /** What was typed, and what files of settings say (request.ts, settings/command-settings.ts). */
  protected get given() {
    return this.asked.given
  }
  protected get files() {
    return this.asked.settings.files
  }
  protected get leftOut() {
    return this.asked.settings.leftOut
  }
  protected get positions() {
    return positionsOf(this.asked.settings)
  }
  protected readonly flagsFor = async (run: string) => (await flagsForRun(this.asked, run, this.asker)) as FlagsOf<T>

  /** The hooks of the settings. Throws ConfigError. */
  protected async hooks(): Promise<readonly Hook[]> {
    if (this.files.every(({ hooks }) => hooks === null)) return []
    return (await import('./settings/hooks.js')).hooksIn(this.files)
  }

  /** Changes of a run, and who makes them (run-lock.ts). */
  private readonly changer = { command: nameOf(this.described), note: this.note, alert: this.alert, now: this.now }
  protected readonly changing = lockOptions(this.changer)
  protected readonly locked = withRunLock(this.changer, () => this.storage)
  /** Who this is, for the journal. */
  protected get self() {
    return ownerFor(this.changer)
  }
}
