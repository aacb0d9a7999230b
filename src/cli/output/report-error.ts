/** How an error is reported: in words on stderr, or as a document on stdout with --json. */
import { CkptError, exitStatusOf, type ErrorCode } from '../../core/errors.js'
import { namesWithin, orList, parseDuration } from '../../core/choosing/expression/index.js'
import { SeveralRunsError } from '../../core/checkpoints/layouts/index.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'
import { choosingWords, isChoosingWord } from '../../core/checkpoints/choosing-words.js'
import { flagsCalled, isCalledElsewhere } from './other-names.js'
import { parseMessage } from './parse-error.js'
import { renderError } from '../../render/messages.js'
import type { Output } from '../../render/output.js'

export interface ErrorReport {
  readonly code: ErrorCode | 'bug'
  readonly message: string
  readonly hint?: string | undefined
  readonly exitStatus: number
  /** Only of a bug. */
  readonly stack?: string | undefined
}

export interface ErrorDocument {
  readonly code: ErrorReport['code']
  readonly message: string
  readonly hint: string | null
}

export function errorDocument({ code, message, hint }: ErrorReport): ErrorDocument {
  return { code, message, hint: hint ?? null }
}

/** `toJson` is null where people read it; the document holds what stands in `beside`, too. */
export function reportError(
  output: Output,
  failure: ErrorReport,
  toJson: ((document: unknown) => string) | null,
  beside: Readonly<Record<string, unknown>> = {},
): void {
  if (toJson === null) output.message(renderError(failure, output.errorColours))
  else output.data(`${toJson({ ...beside, error: errorDocument(failure) })}\n`)
}

/** What a hint says of the command that failed. */
export interface FailedCommand {
  /** As it is typed: `trash empty`. */
  readonly name: string
  /** The same with its arguments. */
  readonly usage: string
  /** Names of its flags. */
  readonly flags: readonly string[]
  /** By the name of a flag that takes one of a few values: those. */
  readonly values: Readonly<Record<string, readonly string[]>>
}

/** oclif's parse errors are usage errors; what is neither those nor ours is a bug. */
export function toErrorReport(error: unknown, command: FailedCommand | null): ErrorReport {
  if (error instanceof CkptError) {
    const { code, message, hint, exitStatus } = error
    const shown = message.startsWith('Parsing --') ? parseMessage(message) : message
    const next = error instanceof SeveralRunsError ? hintForSeveral(error, command) : hint
    return { code, message: shown, hint: next, exitStatus }
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
  const all = takesAll ? `ckpt ${command.name} -r ${quoteWord(root)}` : `ckpt runs ${quoteWord(root)}`
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
/** Characters of a name's beginning that tell which is meant. */
const shortest = 3
/** And with a slip in them. */
const shortestSlipped = 5
/** Names that a beginning may stand for, at most. */
const mostBegun = 3
/** oclif's words for a value that is none of a flag's. */
const wrongValue = /^Expected (?:--\S+?=)?(.*) to be one of: (.*)$/m
/** And for what is missing, or one too many. */
const wrongArguments = /^\s*(?:Missing \d+ required arg|Missing required flag|Unexpected argument)/m

function hintFor(error: Error, command: FailedCommand | null): string {
  if (command === null) return 'ckpt --help shows what there is'
  const help = `ckpt ${command.name} --help`
  const near = nearOnes(error, command)
  if (near.length > 0) return `did you mean ${orList(near)}? all of them: ${help}`
  const placed = hintForWords(error, command)
  if (placed !== null) return placed
  if (wrongArguments.test(error.message)) return `usage: ckpt ${command.usage}; ${help} says more`
  return `what it takes: ${help}`
}

/** Where arguments that are too many belong; null where nothing tells. */
function hintForWords(error: Error, { name, usage, flags }: FailedCommand): string | null {
  const words = listIn(error, 'args')
  const [first] = words
  if (first === undefined) return null
  if (flags.includes('file')) return `its files are named by --file: ckpt ${name} RUN --file KEY=${quoteWord(first)}`
  if (usage.includes('-- COMMAND')) {
    return `a command stands behind --: ckpt ${name} RUN -- ${words.map(quoteWord).join(' ')}`
  }
  if (isChoosingWord(first) && usage.includes('CHECKPOINT')) return `${first} stands behind its run: RUN/${first}`
  if (first.length >= shortest && flags.includes(first)) return `did you mean --${words.map(quoteWord).join(' ')}?`
  const [choosing] = namesWithin(1, first, choosingWords)
  if (choosing !== undefined && usage.includes('CHECKPOINT')) return `did you mean RUN/${choosing}?`
  const meant = flagForNumber(first).find((flag) => flags.includes(flag))
  return meant === undefined ? null : `did you mean --${meant} ${first}?`
}

/** Flags that a bare number (`prune RUN 3`) or a bare age (`gc . 30d`) may be for, the likeliest first. */
function flagForNumber(word: string): readonly string[] {
  if (/^\d+$/.test(word)) return ['keep', 'num', 'limit']
  return parseDuration(word) === undefined ? [] : ['older-than']
}

/** The flags or the values that were meant, perhaps; printed only. */
function nearOnes(error: Error, command: FailedCommand): string[] {
  const [, value, options] = wrongValue.exec(error.message) ?? []
  if (value !== undefined) {
    const known = (options ?? '').split(', ')
    const near = namesWithin(slips, value, known)
    return near.length === known.length ? [] : near
  }
  return listIn(error, 'flags').flatMap((flag) => {
    const word = flag.replace(/^-+/, '')
    const words = command.usage.includes('best|latest') ? namesWithin(slips, word, choosingWords) : []
    const flagsLike = words.some((one) => one === word) ? [] : flagsNear(flag, command)
    return flagsLike.length > 0 ? flagsLike : words.map((one) => `ckpt ${command.name} ${one}`)
  })
}

/** What oclif's errors have beside their message. */
function listIn(error: Error, key: 'args' | 'flags'): readonly string[] {
  const named: unknown = key in error ? (error as unknown as Record<string, unknown>)[key] : undefined
  return Array.isArray(named) ? named.filter((one): one is string => typeof one === 'string') : []
}

/** `-all` is `--all` with a dash too few; `--quick` may be a value of `--verify`, `--after` the beginning of a name. */
function flagsNear(flag: string, { flags, values }: FailedCommand): string[] {
  const [name = ''] = flag.replace(/^-+/, '').split('=')
  const holders = Object.keys(values).filter((one) => values[one]?.includes(name))
  if (holders.length > 0 && !flags.includes(name)) return holders.map((one) => `--${one} ${name}`)
  const called = flagsCalled(name, flags)
  if (called.length > 0 || name.length < 2 || isCalledElsewhere(name)) return called.map((one) => `--${one}`)
  const longer = name.length < shortest ? [] : flags.filter((one) => one.startsWith(`${name}-`))
  const begun = longer.length > 0 ? longer : flags.filter((one) => one.startsWith(name))
  if (begun.length === 0 || begun.length > mostBegun) {
    const near = namesWithin(slips, name, flags)
    return (near.length > 0 ? near : nearlyBegun(name, flags)).map((one) => `--${one}`)
  }
  // `--wat` may be `--wait` with a letter left out, and `--watch` not yet written out.
  const slipped = name.length < shortest ? [] : namesWithin(1, name, flags)
  const near = [...new Set([...slipped, ...begun])].slice(0, mostBegun)
  return near.map((one) => `--${one}`)
}

/** `--after-nxt`: the beginning of a long name, with a slip in it. */
function nearlyBegun(name: string, flags: readonly string[]): string[] {
  if (name.length < shortestSlipped) return []
  return flags.filter(
    (one) => one.length > name.length && namesWithin(1, name, beginnings(one, name.length)).length > 0,
  )
}

/** Those that are as long as a name with one letter left out, put in or changed. */
function beginnings(flag: string, length: number): string[] {
  return [length - 1, length, length + 1].map((end) => flag.slice(0, end))
}
