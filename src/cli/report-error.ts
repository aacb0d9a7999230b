/** How an error is reported: in words on stderr, or as a document on stdout with --json. */
import { CkptError, exitStatusOf, type ErrorCode } from '../core/errors.js'
import { namesWithin } from '../core/choosing/expression/index.js'
import { SeveralRunsError } from '../core/checkpoints/layouts/index.js'
import { parseMessage } from './parse-error.js'
import { renderError } from '../render/messages.js'
import type { Output } from '../render/output.js'

export interface ErrorReport {
  readonly code: ErrorCode | 'bug'
  readonly message: string
  readonly hint?: string | undefined
  readonly exitStatus: number
  /** Only of a bug. */
  readonly stack?: string | undefined
}

/** `toJson` is null where people read it; the document holds what stands in `beside`, too. */
export function reportError(
  output: Output,
  failure: ErrorReport,
  toJson: ((document: unknown) => string) | null,
  beside: Readonly<Record<string, unknown>> = {},
): void {
  const { code, message, hint } = failure
  if (toJson === null) output.message(renderError(failure, output.errorColours))
  else output.data(`${toJson({ ...beside, error: { code, message, hint: hint ?? null } })}\n`)
}

/** What a hint says of the command that failed. */
export interface FailedCommand {
  /** As it is typed: `trash empty`. */
  readonly name: string
  /** The same with its arguments. */
  readonly usage: string
  /** Names of its flags. */
  readonly flags: readonly string[]
}

/** oclif's parse errors are usage errors; what is neither those nor ours is a bug. */
export function toErrorReport(error: unknown, command: FailedCommand | null): ErrorReport {
  if (error instanceof CkptError) {
    const { code, message, hint, exitStatus } = error
    const told = message.startsWith('Parsing --') ? parseMessage(message) : message
    const next = error instanceof SeveralRunsError ? hintForSeveral(error, command) : hint
    return { code, message: told, hint: next, exitStatus }
  }
  if (isParseError(error)) {
    const message = parseMessage(error.message)
    return { code: 'usage', message, hint: hintFor(error, command), exitStatus: 2 }
  }
  if (isFolderGone(error)) return folderGone
  const message = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  return {
    code: 'bug',
    message,
    hint: 'this is a bug in ckpt: please report it with the lines below',
    exitStatus: 1,
    stack,
  }
}

/** What -r is for where it does not take each of them by itself. */
const purposes: Readonly<Record<string, string | undefined>> = {
  recover: 'where they are folders of one job, each start of which made a new one',
}

/** By what the command that was typed can do with all of them. */
function hintForSeveral({ root }: SeveralRunsError, command: FailedCommand | null): string {
  const takesAll = command?.flags.includes('recursive') === true
  const all = takesAll ? `ckpt ${command.name} -r '${root}'` : `ckpt runs '${root}'`
  const purpose = takesAll ? (purposes[command.name] ?? 'for all of them') : 'see how they did'
  return `name one of them; ${purpose}: ${all}`
}

function isParseError(error: unknown): error is Error {
  return error instanceof Error && 'oclif' in error
}

/** What Node says where the folder that the program was started in has been deleted (getcwd(3)). */
function isFolderGone(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd'
}

const folderGone: ErrorReport = {
  code: 'system',
  message: 'the folder that you stand in has been deleted',
  hint: 'go to one that is there (cd), or name the run by its absolute path',
  exitStatus: exitStatusOf.system,
}

/** Slips apart, at most. */
const slips = 2
/** oclif's words for a value that is none of a flag's. */
const wrongValue = /^Expected (?:--\S+?=)?(.*) to be one of: (.*)$/m
/** And for arguments that are missing, or one too many. */
const wrongArguments = /^(?:Missing \d+ required arg|Unexpected argument)/

function hintFor(error: Error, command: FailedCommand | null): string {
  if (command === null) return 'ckpt --help shows what there is'
  const help = `ckpt ${command.name} --help`
  const near = nearOnes(error, command)
  if (near.length > 0) return `did you mean ${near.join(' or ')}? all of them: ${help}`
  if (wrongArguments.test(error.message)) return `usage: ckpt ${command.usage}; ${help} says more`
  return `what it takes: ${help}`
}

/** The flags or the values that were meant, perhaps; printed only. */
function nearOnes(error: Error, { flags }: FailedCommand): string[] {
  const [, value, options] = wrongValue.exec(error.message) ?? []
  if (value !== undefined) return namesWithin(slips, value, (options ?? '').split(', '))
  return unknownFlags(error).flatMap((flag) => flagsNear(flag, flags))
}

function unknownFlags(error: Error): readonly string[] {
  const named: unknown = 'flags' in error ? error.flags : undefined
  return Array.isArray(named) ? named.filter((one): one is string => typeof one === 'string') : []
}

/** `-all` is `--all` with a dash too few. */
function flagsNear(flag: string, flags: readonly string[]): string[] {
  const [name = ''] = flag.replace(/^-+/, '').split('=')
  return name.length < 2 ? [] : namesWithin(slips, name, flags).map((near) => `--${near}`)
}
