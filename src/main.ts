/** Entry of the bundle: runs a known command without loading oclif's plugins, manifest or package files. */
import type { Config } from '@oclif/core'
import { loadCommand } from './commands/load.js'
import { isHangupIgnored } from './machine/hangup.js'

/** Runs the command that `argv` names; tells when it names none; false when it asks for help. */
export async function main(argv: string[], root: string): Promise<boolean> {
  if (versionFlags.has(argv[0] ?? '')) {
    await tellVersion(root)
    return true
  }
  if (argv.length === 0) return tellRunHere(root)
  const { id, rest } = nameOf(argv)
  if (!Object.hasOwn(loadCommand, id) && (await tellUnknown(argv))) return true
  if (!Object.hasOwn(loadCommand, id) || asksForHelp(rest)) return false
  if (isHangupIgnored()) process.on('SIGHUP', () => undefined)
  if (readsAll(rest)) (await import('./core/storage/bulk-read.js')).startEarly()
  const { default: command } = await loadCommand[id as keyof typeof loadCommand]()
  command.id = id
  await new command(rest, configOf(root)).execute()
  return true
}

/** `ckpt` alone sums up the run of this folder; false where there is none. */
async function tellRunHere(root: string): Promise<boolean> {
  const { default: Here } = await import('./commands/here.js')
  if (!(await Here.isInRun())) return false
  Here.id = ''
  await new Here([], configOf(root)).execute()
  return true
}

/** What a command asks of oclif's Config. */
function configOf(root: string): Config {
  return {
    root,
    name: 'ckpt',
    bin: 'ckpt',
    scopedEnvVarKeys: () => [],
    commandIDs: Object.keys(loadCommand),
    // Beside its class nothing of a command is looked at.
    commands: Object.entries(loadCommand).map(([id, load]) => ({
      id,
      load: async () => (await load()).default,
    })) as unknown as Config['commands'],
  } satisfies Partial<Config> as unknown as Config
}

const versionFlags = new Set(['--version', '-V'])

/** As oclif writes it. */
async function tellVersion(root: string): Promise<void> {
  const { readFileSync } = await import('node:fs')
  const { name, version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as Record<string, string>
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`)
}

/** Short names that fingers know from elsewhere; `static aliases` of the command tells them to help and completion. */
const aliases: Readonly<Record<string, keyof typeof loadCommand>> = { ls: 'list' }

/** True where what was typed as a command is none, which is told. */
async function tellUnknown(argv: readonly string[]): Promise<boolean> {
  const { tellUnknownCommand, unknownCommand } = await import('./cli/unknown-command.js')
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

function asksForHelp(argv: readonly string[]): boolean {
  return own(argv).some((argument) => argument === '--help' || argument === '-h')
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
