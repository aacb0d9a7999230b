/** One key of a section as the flag of its name takes it, as if it had been typed. */
import { dirname, resolve } from 'node:path'
import { Parser, type Interfaces } from '@oclif/core'
import { ConfigError, atPosition, type Scalar } from '../../core/formats/yaml/config-yaml.js'
import type { SettingEntry } from './settings-file.js'
import { CkptError } from '../../core/errors.js'
import { didYouMean } from '../../core/nearest.js'
import { policyFlags, selectionFlags } from '../flags/common-flags.js'
import { parseMessage } from '../output/parse-error.js'
import { readPolicy } from '../flags/query.js'

export type FlagDefinitions = Interfaces.FlagInput
export type FlagDefinition = FlagDefinitions[string]

/** Whether a file may set the flag: the one exception says what is read at all. */
export function isSettable(name: string): boolean {
  return name !== 'no-config'
}

/** What the flag comes to; null for a switch that is off. Throws ConfigError. */
export async function readEntry(entry: SettingEntry, definition: FlagDefinition): Promise<unknown> {
  if (definition.type === 'boolean') return readSwitch(entry) ? true : null
  if (entry.isList && definition.multiple !== true) {
    const message = `${entry.key} takes one value, and here is a list of ${entry.values.length}`
    throw new ConfigError(entry.position, message, {
      hint: `name one: ${entry.key}: ${entry.values[0]?.text ?? 'VALUE'}`,
    })
  }
  const found: unknown[] = []
  for (const value of entry.values) found.push(await readValue(entry, value, definition))
  const flag = definition.multiple === true ? found.flat() : found[0]
  await check(entry, definition.multiple === true ? flag : alike(entry.key, flag))
  return flag
}

function readSwitch({ key, values: [value], position, isList }: SettingEntry): boolean {
  const isOn = isList ? null : (value?.boolean ?? null)
  if (isOn === null)
    throw new ConfigError(value?.position ?? position, `${key} is true or false`, {
      hint: `${key}: true, or leave the line out`,
    })
  return isOn
}

/** By the flag's own parser, so that a file takes exactly what the command line takes. */
async function readValue(entry: SettingEntry, value: Scalar, definition: FlagDefinition): Promise<unknown> {
  if (value.boolean !== null) throw new ConfigError(value.position, `${entry.key} takes a value, not ${value.text}`)
  const text = fromFolder(value, definition)
  try {
    const flags = { [entry.key]: alone(definition) }
    const parsed = await Parser.parse([`--${entry.key}=${text}`], { flags })
    return (parsed.flags as Record<string, unknown>)[entry.key]
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new ConfigError(value.position, parseMessage(error.message), {
      cause: error,
      ...hintOf(error, entry.key, text, definition),
    })
  }
}

/** Whatever else it needs or excludes is not looked at here. */
export function alone<T extends FlagDefinition>(definition: T): T {
  return { ...definition, required: false, exclusive: [], dependsOn: [], relationships: [] }
}

/** A flag with one of these as its helpValue takes a path. */
const paths = new Set(['FILE', 'DIR', 'FOLDER', 'PATH'])

/** A relative path is one from the folder of the file that it stands in. */
function fromFolder({ text, position }: Scalar, definition: FlagDefinition): string {
  const kind = definition.type === 'option' ? definition.helpValue : undefined
  const folder = dirname(position.path)
  if (typeof kind !== 'string') return text
  if (paths.has(kind)) return resolve(folder, text)
  const at = text.indexOf('=')
  if (kind !== 'KEY=PATH' || at === -1 || text.endsWith('=-')) return text
  return `${text.slice(0, at + 1)}${resolve(folder, text.slice(at + 1))}`
}

const inPolicies: FlagDefinitions = { ...policyFlags, ...selectionFlags }

/** One value, as the flag of that name takes it in a policy, where it may be given several times. */
function alike(name: string, flag: unknown): unknown {
  const known = inPolicies[name]
  return known?.type === 'option' && known.multiple === true ? [flag] : flag
}

/** What only the command itself would refuse (an age, an expression, a rule) is refused here, where its place is known. */
async function check(entry: SettingEntry, flag: unknown): Promise<void> {
  try {
    await readPolicy({ [entry.key]: flag })
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw atPosition(entry.values[0]?.position ?? entry.position, error)
  }
}

function hintOf(error: Error, key: string, text: string, definition: FlagDefinition): { readonly hint?: string } {
  if (error instanceof CkptError && error.hint !== undefined) return { hint: error.hint }
  const options = definition.type === 'option' ? (definition.options ?? []) : []
  const example = options[0] ?? (error.message.includes(wholeNumber) ? '2' : undefined)
  if (example === undefined) return {}
  return { hint: didYouMean(text, options) ?? `for example ${key}: ${example}` }
}

/** What oclif says where a flag takes one. */
const wholeNumber = 'Expected an integer'
