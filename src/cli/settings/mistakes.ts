/** Mistakes in the files of settings, in sections of whichever command. */
import { ConfigError } from '../../core/formats/yaml/config-yaml.js'
import { applySettings } from './apply.js'
import type { CommandFlags } from './effective.js'
import type { ParsedConfig } from './settings-file.js'

/** The first of each section, each mistake once. */
export async function mistakesIn(
  files: readonly ParsedConfig[],
  commands: readonly CommandFlags[],
): Promise<ConfigError[]> {
  const found = new Map<string, ConfigError>()
  for (const file of files) {
    for (const { name, flags, together } of commands.filter((one) => file.sections.has(one.name))) {
      try {
        await applySettings([file], { command: name, flags, together, given: new Set() })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        found.set(error.message, error)
      }
    }
  }
  return [...found.values()]
}
