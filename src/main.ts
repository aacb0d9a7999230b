/** Entry of the bundle: runs a command without loading oclif's manifest or package files. */
import { loadCommand } from './commands/load.js'
import type { CompletionSpec } from './cli/completion/spec.js'
import type { Program } from './cli/command-line/program.js'
import { takeUp } from './machine/early-signals.js'
import { isHangupIgnored } from './machine/hangup.js'

/** What the starter (bin/run.js, or the one-file executable) knows. */
export interface Installation {
  /** Where ckpt is installed. */
  readonly root: string
  readonly version: string
  /** Names the contents of the build, where it has such a name. */
  readonly build?: string | undefined
  /** dist/completion.json. */
  readonly readSpec: () => CompletionSpec
  /** Signals that came before anybody listened for them; more may come to it. Undefined for all commands but `run`. */
  readonly early?: ReadonlySet<NodeJS.Signals> | undefined
  /** Has less memory used from then on, and more time; undefined where that cannot be. */
  readonly spareMemory?: (() => void) | undefined
}

/** Runs the command that `argv` names, or says that it names none. False where help is wanted: no run is here. */
export async function main(argv: string[], installation: Installation): Promise<boolean> {
  if (argv[0] === '__complete') {
    const { answerShell } = await import('./cli/completion/protocol.js')
    await answerShell(argv.slice(1), installation.readSpec())
    return true
  }
  if (argv.length === 0) return tellRunHere(installation)
  const { id, rest } = nameOf(argv)
  if (!Object.hasOwn(loadCommand, id)) return tellUnknown(argv)
  if (installation.early !== undefined) takeUp(installation.early)
  if (readsAll(rest)) (await import('./core/storage/bulk-read.js')).startEarly()
  const { default: command } = await loadCommand[id as keyof typeof loadCommand]()
  command.id = id
  // To ask takes long beside a short look, which is over before anything could be heard.
  if (command.isReader) setImmediate(outliveHangup)
  else outliveHangup()
  await command.run(rest, programOf(installation))
  return true
}

/** Where SIGHUP is to be ignored, it is. */
function outliveHangup(): void {
  if (isHangupIgnored()) process.on('SIGHUP', () => undefined)
}

/** `ckpt` alone sums up the run of this folder; false where there is none. */
async function tellRunHere(installation: Installation): Promise<boolean> {
  const { default: Here } = await import('./commands/here.js')
  if (!(await Here.isInRun())) return false
  Here.id = ''
  await Here.run([], programOf(installation))
  return true
}

function programOf({ root, version, build, spareMemory }: Installation): Program {
  const commands = Object.entries(loadCommand).map(([id, load]) => [id, async () => (await load()).default] as const)
  return { root, version, build: build ?? version, commands: new Map(commands), spareMemory }
}

/** Short names that fingers know from elsewhere; `static aliases` of the command tells them to help and completion. */
const aliases: Readonly<Record<string, keyof typeof loadCommand>> = { ls: 'list' }

/** True where what was typed as a command is none, which is reported. */
async function tellUnknown(argv: readonly string[]): Promise<boolean> {
  const { tellUnknownCommand, unknownCommand } = await import('./cli/output/unknown-command.js')
  const unknown = unknownCommand(argv, Object.keys(loadCommand))
  if (unknown !== null) tellUnknownCommand(unknown, argv)
  return unknown !== null
}

/** Commands of a topic have names of two words, `trash list`, and ids with a colon. */
function nameOf(argv: readonly string[]): { readonly id: string; readonly rest: string[] } {
  const [first = '', second] = argv
  const topical = `${first}:${second ?? ''}`
  if (Object.hasOwn(loadCommand, topical)) return { id: topical, rest: argv.slice(2) }
  const id = Object.hasOwn(aliases, first) ? (aliases[first] ?? first) : first
  return { id, rest: argv.slice(1) }
}

/** Of every file that it comes to: what a thread helps with. */
function readsAll(argv: readonly string[]): boolean {
  return own(argv).some((argument) => argument === '--deep')
}

/** Those for ckpt itself. */
function own(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  return end === -1 ? argv : argv.slice(0, end)
}
