/** What a call of a command asks for: what is typed, and for the rest what the environment and files of settings say. */
import { resolve } from 'node:path'
import type { Interfaces } from '@oclif/core'
import { flagsOf, nameOf, type Description } from './command-line/described-command.js'
import { givenFlags, lenient, parseArguments, takeBack, type Parsed } from './command-line/parse-arguments.js'
import type { Program } from './command-line/program.js'
import { noSettings, settingsAt, valuesOf, withDefaults, type CommandSettings } from './settings/command-settings.js'
import type { Storage } from '../core/storage/storage.js'

export interface Request {
  readonly flags: Readonly<Record<string, unknown>>
  readonly args: Readonly<Record<string, unknown>>
  /** Flags that need no setting: those on the command line and of the environment. */
  readonly given: ReadonlySet<string>
  readonly settings: CommandSettings
}

/** The flags as they were typed, before settings. */
export type TypedFlags = Readonly<Record<string, unknown>>

/** Who asks, and where its settings are looked for. */
export interface Asker {
  readonly command: Description
  readonly program: Program
  readonly storage: Storage
  /** The folder whose settings hold, of what the first argument names (absolute). */
  readonly settingsFolder: (path: string, flags: TypedFlags) => Promise<string>
}

/** Before a request was read. */
export const emptyRequest: Request = { flags: {}, args: {}, given: new Set(), settings: noSettings }

/** Throws CkptError `refused`, ConfigError, StorageError, and oclif's errors of a command line. */
export async function readRequest(argv: readonly string[], asker: Asker): Promise<Request> {
  const { args, strict } = asker.command
  const flags = flagsOf(asker.command)
  const { argv: kept, takenBack } = takeBack(argv, flags)
  const parse = (meant: Interfaces.FlagInput) => parseArguments(kept, { args, strict, flags: meant })
  const complete = await parse(flags).catch(() => null)
  const typed = complete ?? (await parse(lenient(flags)))
  const given = new Set([...givenFlags(typed), ...takenBack])
  const settings = typed.flags['no-config'] === true ? noSettings : await readSettings(typed, given, asker)
  const meant = withDefaults(flags, settings)
  // Where settings say nothing, what was complete by itself says all.
  const parsed = meant === flags && complete !== null ? complete : await parse(meant)
  return { flags: parsed.flags, args: parsed.args, given, settings }
}

async function readSettings(
  { args, flags }: Parsed,
  given: ReadonlySet<string>,
  asker: Asker,
): Promise<CommandSettings> {
  const [first] = Object.values(args).flat()
  const path = resolve(typeof first === 'string' ? first : '.')
  const folder = await asker.settingsFolder(path, flags)
  const { isReader, tellsMistakes } = asker.command
  const strictness = { refuses: !isReader, unreadable: isReader, mistaken: isReader && !tellsMistakes }
  const settings = await settingsAt(asker.storage, folder, questionOf(asker, given), strictness)
  if (settings.files.some(({ layouts, complete }) => layouts !== null || complete !== null)) {
    const { useLayoutsOf } = await import('./settings/layouts.js')
    useLayoutsOf(settings.files)
  }
  return settings
}

/**
 * The flags as they hold for one of several runs: what was typed, and what the files at and above that run say. Throws
 * CkptError `refused` where one may be somebody else's, ConfigError, StorageError.
 */
export async function flagsForRun(
  { flags, given, settings }: Request,
  run: string,
  asker: Asker,
): Promise<Readonly<Record<string, unknown>>> {
  if (flags['no-config'] === true) return flags
  const strictness = { refuses: true, unreadable: false, mistaken: false }
  const there = await settingsAt(asker.storage, run, questionOf(asker, given), strictness)
  const fromFiles = valuesOf(settings)
  const own = Object.entries(flags).filter(([name]) => !Object.hasOwn(fromFiles, name))
  return { ...Object.fromEntries(own), ...valuesOf(there) }
}

function questionOf({ command, program }: Asker, given: ReadonlySet<string>) {
  const { together } = command
  const commandIds = [...program.commands.keys()]
  return { command: nameOf(command), flags: flagsOf(command), together, given, commandIds }
}
