/** What the files of settings say of one call of a command. */
import type { Interfaces } from '@oclif/core'
import { CkptError } from '../../core/errors.js'
import type { FilePosition } from '../../core/formats/yaml/config-yaml.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import type { Setting, SettingsRequest } from './apply.js'
import { loadSettings, type LeftOut, type Leniency } from './files.js'
import type { ParsedConfig } from './settings-file.js'

export interface CommandSettings {
  /** The nearest first. */
  readonly files: readonly ParsedConfig[]
  /** Files that may hold settings and are not taken, the nearest first. */
  readonly leftOut: readonly LeftOut[]
  /** By flag. */
  readonly inForce: ReadonlyMap<string, Setting>
}

export interface Question extends SettingsRequest {
  readonly flags: Interfaces.FlagInput
  readonly commandIds: readonly string[]
}

export const noSettings: CommandSettings = { files: [], leftOut: [], inForce: new Map() }

/**
 * Of the files at and above a folder. `refuses`: one that may be somebody else's is a mistake. Throws CkptError
 * `refused`, ConfigError, StorageError.
 */
export async function settingsAt(
  storage: ReadStorage,
  folder: string,
  question: Question,
  { refuses, ...leniency }: Leniency & { readonly refuses: boolean },
): Promise<CommandSettings> {
  const { files, leftOut } = await loadSettings(storage, folder, question.commandIds, leniency)
  if (refuses) refuseLeftOut(leftOut)
  if (files.length === 0) return { ...noSettings, leftOut }
  const { applySettings } = await import('./apply.js')
  return { files, leftOut, inForce: await applySettings(files, question) }
}

/** Throws CkptError `refused`: without its settings a command that changes something might do what they forbid. */
function refuseLeftOut([first]: readonly LeftOut[]): void {
  if (first === undefined) return
  throw new CkptError('refused', `${first.path}: its settings and hooks are not taken: ${first.reason}`, {
    hint: `${first.hint}, or leave settings out with --no-config`,
  })
}

/** Of the flags that a file has set; a switch that it has turned off has no place. */
export function positionsOf({ inForce }: CommandSettings): ReadonlyMap<string, FilePosition> {
  const set = [...inForce].filter(([, { value }]) => value !== null)
  return new Map(set.map(([name, { position }]) => [name, position]))
}

/** The values by flag. */
export function valuesOf({ inForce }: CommandSettings): Record<string, unknown> {
  const set = [...inForce].filter(([, { value }]) => value !== null)
  return Object.fromEntries(set.map(([name, { value }]) => [name, value]))
}

/** The flags, with what files say as their defaults. */
export function withDefaults(flags: Interfaces.FlagInput, settings: CommandSettings): Interfaces.FlagInput {
  const changed = Object.entries(valuesOf(settings)).flatMap(([name, value]) => {
    const flag = flags[name]
    return flag === undefined ? [] : [[name, withDefault(flag, value)] as const]
  })
  return changed.length === 0 ? flags : { ...flags, ...Object.fromEntries(changed) }
}

/** The value is what the flag's own parser gave, which oclif's types cannot know. */
function withDefault(flag: FlagDefinition, value: unknown): FlagDefinition {
  const copy = { ...flag }
  Reflect.set(copy, 'default', value)
  return copy
}

type FlagDefinition = Interfaces.FlagInput[string]
