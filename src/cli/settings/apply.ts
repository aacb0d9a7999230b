/** The settings for one call of a command: the nearest file that has a flag decides its value. */
import { ConfigError, unknownKey, type FilePosition } from '../../core/formats/yaml/config-yaml.js'
import type { ParsedConfig } from './settings-file.js'
import { isSettable, readEntry, type FlagDefinitions } from './values.js'

export interface SettingsRequest {
  /** As it is typed: `trash empty`. */
  readonly command: string
  readonly flags: FlagDefinitions
  /** Flags that make sense together only: where one of them is given, none of the others is taken from farther off. */
  readonly together: readonly (readonly string[])[]
  /** What needs no setting: flags on the command line and of the environment. */
  readonly given: ReadonlySet<string>
}

export interface Setting {
  /** As the command's parser gives it; null for a switch that is off. */
  readonly value: unknown
  readonly position: FilePosition
}

/**
 * Of files, nearest first, what holds, by flag. A flag that excludes one that is nearer is left out. Throws
 * ConfigError, for what is overruled too.
 */
export async function applySettings(
  files: readonly ParsedConfig[],
  request: SettingsRequest,
): Promise<ReadonlyMap<string, Setting>> {
  const settings = new Map<string, Setting>()
  const decided = new Set(request.given)
  const inForce = new Set(request.given)
  for (const file of files) {
    const found = await readSection(file, request)
    const wanted = [...found].filter(([name]) => !isOverruled(name, decided, inForce, request))
    for (const [name, setting] of wanted) {
      // A switch that is off says so to files farther off too.
      decided.add(name)
      if (setting.value !== null) inForce.add(name)
      settings.set(name, setting)
    }
  }
  return settings
}

async function readSection(
  file: ParsedConfig,
  { command, flags }: SettingsRequest,
): Promise<ReadonlyMap<string, Setting>> {
  const found = new Map<string, Setting>()
  const known = Object.keys(flags).filter(isSettable)
  for (const entry of file.sections.get(command)?.entries ?? []) {
    const { key, position } = entry
    const definition = known.includes(key) ? flags[key] : undefined
    if (definition === undefined) throw unknownKey({ key, position, value: null }, `a flag of ${command}`, known)
    const value = await readEntry(entry, definition)
    const other = value === null ? undefined : [...found.keys()].find((one) => exclude(one, key, flags))
    if (other !== undefined) throw new ConfigError(position, `${key} and ${other} exclude each other`)
    found.set(key, { value, position })
  }
  return found
}

function isOverruled(
  name: string,
  decided: ReadonlySet<string>,
  inForce: ReadonlySet<string>,
  { flags, together }: SettingsRequest,
): boolean {
  if (decided.has(name)) return true
  if ([...inForce].some((one) => exclude(one, name, flags))) return true
  return together.some((group) => group.includes(name) && group.some((one) => decided.has(one)))
}

function exclude(one: string, other: string, flags: FlagDefinitions): boolean {
  const names = (name: string) => flags[name]?.exclusive ?? []
  return names(one).includes(other) || names(other).includes(one)
}
