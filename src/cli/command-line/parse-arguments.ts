/** From the words of a command line to flags and arguments: oclif's parser, and what its traps need (docs/design.md §3). */
import { Parser, type Interfaces } from '@oclif/core'
import { CkptError } from '../../core/errors.js'
import { expressionFlags } from '../flags/common-flags.js'
import { argumentName } from './usage.js'

export interface Definitions {
  readonly args: Interfaces.ArgInput
  readonly flags: Interfaces.FlagInput
  /** Refuses arguments that `args` does not name. */
  readonly strict: boolean
}

export interface Parsed {
  readonly args: Readonly<Record<string, unknown>>
  readonly flags: Readonly<Record<string, unknown>>
  readonly metadata: { readonly flags: Readonly<Record<string, { readonly setFromDefault?: boolean } | undefined>> }
}

/** Throws oclif's errors (report-error.ts has words for them), what a flag's own parser throws, and CkptError `usage`. */
export async function parseArguments(argv: readonly string[], { args, flags, strict }: Definitions): Promise<Parsed> {
  refuseSwitchValues(argv, flags)
  // oclif tells a mistake with the keys, help with the names.
  const named = Object.entries(args).map(([key, arg]) => ({ key, name: argumentName(key, arg), arg }))
  const shown = Object.fromEntries(named.map(({ name, arg }) => [name, arg]))
  const parsed = await Parser.parse(shieldExpressions(argv), { flags, args: shown, strict })
  const found = parsed.args as Readonly<Record<string, unknown>>
  for (const { name } of named) refuseEmpty(name, found[name])
  return { ...parsed, args: Object.fromEntries(named.map(({ key, name }) => [key, found[name]])) }
}

/** `ckpt prune "$RUN"` with RUN not set: an empty path would be the working folder. */
function refuseEmpty(name: string, value: unknown): void {
  if (![value].flat().includes('')) return
  throw new CkptError('usage', `${name.toUpperCase()} is empty`, {
    hint: 'write . for the working folder; a variable of the shell may not be set',
  })
}

/** Names of the flags that stand on the command line or in the environment. */
export function givenFlags({ flags, metadata }: Parsed): string[] {
  return Object.keys(flags).filter((name) => metadata.flags[name]?.setFromDefault !== true)
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
    if (!expressionFlags.has(name) || value?.startsWith('-') !== true) shielded.push(argument)
    else {
      shielded.push(name, ` ${value}`)
      if (equals === -1) index++
    }
  }
  return shielded
}

/** `--json=1`: oclif would take the value for an argument. */
function refuseSwitchValues(argv: readonly string[], flags: Interfaces.FlagInput): void {
  const end = argv.indexOf('--')
  for (const argument of end === -1 ? argv : argv.slice(0, end)) {
    const [, name = '', value = ''] = /^--([^=]+)=(.*)$/s.exec(argument) ?? []
    if (flags[name]?.type !== 'boolean') continue
    throw new CkptError('usage', `--${name} takes no value, and ${value === '' ? "''" : value} was given`, {
      hint: `--${name} alone switches it on`,
    })
  }
}

/** Whether ckpt itself is given `--json`, also where the rest of the command line is a mistake. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

/**
 * `--no-FLAG` takes back what a file says of that flag. The arguments without such, and the flags that are meant;
 * `--no-keep-recent` and the like are flags of their own.
 */
export function takeBack(
  argv: readonly string[],
  flags: Interfaces.FlagInput,
): { readonly argv: string[]; readonly takenBack: string[] } {
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
export function lenient(flags: Interfaces.FlagInput): Interfaces.FlagInput {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, { ...flag, required: false, dependsOn: [], relationships: [] }]),
  )
}
