/** From `ckpt.yaml` to flags, as if they had been typed. */
import { homedir } from 'node:os'
import { Parser, type Interfaces } from '@oclif/core'
import { ConfigError, findConfigs, parseConfig, type Entry, type Scalar } from './core/config/index.js'
import { CkptError } from './core/errors.js'
import type { ReadStorage } from './core/storage/storage.js'

type FlagDefinitions = Interfaces.FlagInput

export interface Settings {
  /** The file that they come from, absolute. */
  readonly path: string
  /** By name, as the command's parser gives them. */
  readonly flags: Readonly<Record<string, unknown>>
}

export interface Section {
  /** The command's name. */
  readonly name: string
  /** The flags that may stand in it. */
  readonly flags: FlagDefinitions
  /** Throws CkptError for values that cannot be meant; called with one flag at a time, so that its place can be told. */
  readonly check: (flags: Readonly<Record<string, unknown>>) => Promise<unknown>
}

/** The command's section of the nearest `ckpt.yaml` that has one, at `folder` or above. Throws ConfigError. */
export async function readSettings(storage: ReadStorage, folder: string, section: Section): Promise<Settings | null> {
  const known = new Map([[section.name, Object.keys(section.flags)]])
  for (const { path, text } of await findConfigs(storage, folder, homedir())) {
    const entries = parseConfig(text, path, known).sections.get(section.name)
    if (entries !== undefined) return { path, flags: await readFlags(entries, section) }
  }
  return null
}

async function readFlags(entries: readonly Entry[], section: Section): Promise<Record<string, unknown>> {
  const flags: Record<string, unknown> = {}
  for (const entry of entries) {
    const found = await readFlag(entry, section)
    await section.check(found).catch((error: unknown) => {
      throw error instanceof CkptError ? misplaced(entry.values[0], entry, error) : error
    })
    Object.assign(flags, found)
  }
  return flags
}

async function readFlag(entry: Entry, { flags }: Section): Promise<Record<string, unknown>> {
  const definition = flags[entry.key]
  if (definition === undefined) return {}
  if (definition.type === 'boolean') return readSwitch(entry)
  if (entry.isList && definition.multiple !== true) {
    throw new ConfigError(entry.place, `${entry.key} takes one value, and here is a list of ${entry.values.length}`)
  }
  const found: unknown[] = []
  for (const value of entry.values) {
    if (value.boolean !== null) {
      throw new ConfigError(value.place, `${entry.key} takes a value, not ${value.text}`)
    }
    found.push(await parseValue(entry, value, definition))
  }
  return definition.multiple === true ? { [entry.key]: found.flat() } : { [entry.key]: found[0] }
}

function readSwitch({ key, values: [value], place, isList }: Entry): Record<string, unknown> {
  const isOn = isList ? null : (value?.boolean ?? null)
  if (isOn === null) throw new ConfigError(value?.place ?? place, `${key} is true or false`)
  return isOn ? { [key]: true } : {}
}

/** By the flag's own parser, so that a file takes exactly what the command line takes. */
async function parseValue(entry: Entry, value: Scalar, definition: FlagDefinitions[string]): Promise<unknown> {
  try {
    const parsed = await Parser.parse([`--${entry.key}=${value.text}`], { flags: { [entry.key]: definition } })
    return (parsed.flags as Record<string, unknown>)[entry.key]
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const [message = ''] = error.message.split('\n')
    throw new ConfigError(value.place, message, { cause: error })
  }
}

function misplaced(value: Scalar | undefined, entry: Entry, error: CkptError): ConfigError {
  const details = error.hint === undefined ? { cause: error } : { hint: error.hint, cause: error }
  return new ConfigError(value?.place ?? entry.place, error.message, details)
}
