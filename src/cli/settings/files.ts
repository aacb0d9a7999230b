/** The files of settings that hold for a folder. */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { ParsedConfig } from './settings-file.js'
import { findConfigs, type ConfigFile } from './find-files.js'
import type { ReadStorage } from '../../core/storage/storage.js'

/**
 * Nearest first, the user's own last; every one is read with its mistakes told. Nothing but a few looks is done where
 * there are none. Throws ConfigError, StorageError, CkptError `refused` for a file that someone else may have written.
 */
export async function loadSettings(
  storage: ReadStorage,
  folder: string,
  commandIds: readonly string[],
): Promise<readonly ParsedConfig[]> {
  const files = await findConfigs(storage, folder, { home: homedir(), own: ownFile() })
  return files.length === 0 ? [] : parseSettings(files, commandIds)
}

/** The user's own file (XDG Base Directory Specification: a relative path is as none). */
function ownFile(): string {
  const set = process.env['XDG_CONFIG_HOME'] ?? ''
  return join(isAbsolute(set) ? set : join(homedir(), '.config'), 'ckpt', 'config.yaml')
}

/** Loaded when there is something to parse: most starts find no file. */
async function parseSettings(files: readonly ConfigFile[], commandIds: readonly string[]): Promise<ParsedConfig[]> {
  const { ensureTrusted, parseConfig } = await import('./settings-file.js')
  const { ConfigError } = await import('../../core/formats/config-yaml.js')
  const library = await import('yaml')
  const names = commandIds.map((id) => id.replaceAll(':', ' '))
  const user = process.getuid?.() ?? null
  const trusted: string[] = []
  const parsed: ParsedConfig[] = []
  // The user's own first, which says whom to trust.
  for (const file of files.toReversed()) {
    ensureTrusted(file, user, trusted)
    const config = parseConfig(file.text, file.path, names, library)
    const [first] = config.trust
    if (first !== undefined && !file.isOwn) {
      throw new ConfigError(first.place, 'trust stands in your own settings only', { hint: `in ${ownFile()}` })
    }
    for (const { text, place } of config.trust) {
      if (!isAbsolute(text))
        throw new ConfigError(place, `trust names folders by absolute paths, not ${JSON.stringify(text)}`)
      trusted.push(text.replace(/(?<=.)\/+$/, ''))
    }
    parsed.unshift(config)
  }
  return parsed
}
