/** How an error is told: in words on stderr, or as a document on stdout with --json. */
import { CkptError, exitStatusOf, type ErrorCode } from '../core/errors.js'
import { namesWithin } from '../core/choosing/expression/index.js'
import { parseMessage } from './parse-error.js'
import { renderError } from '../render/messages.js'
import type { Output } from '../render/output.js'

export interface Failure {
  readonly code: ErrorCode | 'bug'
  readonly message: string
  readonly hint?: string | undefined
  readonly exitStatus: number
  /** Only of a bug. */
  readonly stack?: string | undefined
}

/** `toJson` is null where people read it; the document holds what stands in `beside`, too. */
export function tellFailure(
  output: Output,
  failure: Failure,
  toJson: ((document: unknown) => string) | null,
  beside: Readonly<Record<string, unknown>> = {},
): void {
  const { code, message, hint } = failure
  if (toJson === null) output.message(renderError(failure, output.errorColours))
  else output.data(`${toJson({ ...beside, error: { code, message, hint: hint ?? null } })}\n`)
}

/** oclif's parse errors are usage errors; what is neither those nor ours is a bug. `flags` are those of the command. */
export function toFailure(error: unknown, flags: readonly string[]): Failure {
  if (error instanceof CkptError) {
    const { code, message, hint, exitStatus } = error
    return { code, message: message.startsWith('Parsing --') ? parseMessage(message) : message, hint, exitStatus }
  }
  if (isParseError(error)) {
    const message = parseMessage(error.message)
    const hint = suggestion(error, message, flags) ?? 'add --help to see what there is'
    return { code: 'usage', message, hint, exitStatus: 2 }
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

function isParseError(error: unknown): error is Error {
  return error instanceof Error && 'oclif' in error
}

/** What Node says where the folder that the program was started in has been deleted (getcwd(3)). */
function isFolderGone(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd'
}

const folderGone: Failure = {
  code: 'system',
  message: 'the folder that you stand in has been deleted',
  hint: 'go to one that is there (cd), or name the run by its absolute path',
  exitStatus: exitStatusOf.system,
}

/** Slips apart, at most. */
const slips = 2
/** oclif's words for a value that is none of a flag's. */
const wrongValue = /^Expected (?:--\S+?=)?(.*) to be one of: (.*)$/s

/** The flag or the value that was meant, perhaps; printed only. */
function suggestion(error: Error, message: string, flags: readonly string[]): string | undefined {
  const [, value, options] = wrongValue.exec(message) ?? []
  const near = value === undefined ? unknownFlags(error).flatMap((flag) => flagsNear(flag, flags)) : []
  if (value !== undefined) near.push(...namesWithin(slips, value, (options ?? '').split(', ')))
  return near.length === 0 ? undefined : `did you mean ${near.join(' or ')}? --help shows what there is`
}

function unknownFlags(error: Error): readonly string[] {
  const named: unknown = 'flags' in error ? error.flags : undefined
  return Array.isArray(named) ? named.filter((one): one is string => typeof one === 'string') : []
}

function flagsNear(flag: string, flags: readonly string[]): string[] {
  const [name = ''] = flag.replace(/^--/, '').split('=')
  return flag.startsWith('--') ? namesWithin(slips, name, flags).map((near) => `--${near}`) : []
}
