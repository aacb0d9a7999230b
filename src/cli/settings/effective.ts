/** The value of every flag of a command when nothing is typed, and where it comes from. */
import { Parser } from '@oclif/core'
import type { ParsedConfig } from './settings-file.js'
import type { EffectiveFlag } from '../../render/config.js'
import { applySettings } from './apply.js'
import { alone, isSettable, type FlagDefinition, type FlagDefinitions } from './values.js'

/** What is known of a command's class. */
export interface CommandFlags {
  /** As it is typed: `trash empty`. */
  readonly name: string
  readonly flags: FlagDefinitions
  readonly together: readonly (readonly string[])[]
}

/** `files` are the nearest first. Throws ConfigError, and as the command itself does for what the environment says. */
export async function effectiveFlags(
  files: readonly ParsedConfig[],
  { name, flags, together }: CommandFlags,
): Promise<EffectiveFlag[]> {
  const settable = Object.entries(flags).filter(([flag]) => isSettable(flag))
  const lenient = Object.fromEntries(settable.map(([flag, definition]) => [flag, alone(definition)]))
  const untyped = await Parser.parse([], { flags: lenient })
  const values: Readonly<Record<string, unknown>> = untyped.flags
  const variables = new Map(settable.flatMap(([flag, definition]) => variableOf(flag, definition)))
  const given = new Set([...variables.keys()])
  const settings = await applySettings(files, { command: name, flags, together, given })
  return settable.map(([flag, definition]) => {
    const setting = settings.get(flag)
    if (setting !== undefined) {
      return { flag, value: setting.value ?? false, origin: { kind: 'file', position: setting.position } }
    }
    const variable = variables.get(flag)
    const value = values[flag] ?? (definition.type === 'boolean' ? false : null)
    return { flag, value, origin: variable === undefined ? { kind: 'default' } : { kind: 'environment', variable } }
  })
}

/** The variable that sets the flag now; none that is empty does. */
function variableOf(flag: string, { env }: FlagDefinition): [string, string][] {
  return env !== undefined && (process.env[env] ?? '') !== '' ? [[flag, env]] : []
}
