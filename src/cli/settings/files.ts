/** The files of settings that hold for a folder. */
import { dirname, isAbsolute, join } from 'node:path'
import type { ParsedConfig } from './settings-file.js'
import { findConfigs, readConfig } from './find-files.js'
import { reasonOf, StorageError } from '../../core/errors.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import { home } from '../../machine/home.js'
import type { Doubt, Way } from './trust.js'

/** A file that may hold settings, and is not taken. */
export interface LeftOut extends Doubt {
  /** Absolute. */
  readonly path: string
}

export interface Settings {
  /** Nearest first, the user's own last. */
  readonly files: readonly ParsedConfig[]
  readonly leftOut: readonly LeftOut[]
}

/** What is done about a file that may hold settings and does not. */
export interface Leniency {
  /** One that cannot be read, is not a file or is too large for settings is left out. */
  readonly unreadable: boolean
  /** One that is not YAML, or has sections that there are none of, is left out: another program's, perhaps. */
  readonly mistaken: boolean
}

/**
 * Every file is read with its mistakes reported, but for those that somebody else may have written, and those that
 * `leniency` leaves out. Nothing but a few looks is done where there are none. Throws ConfigError, StorageError.
 */
export async function loadSettings(
  storage: ReadStorage,
  folder: string,
  commandIds: readonly string[],
  leniency: Leniency,
): Promise<Settings> {
  const paths = await findConfigs(storage, folder, { home: home(), own: ownFile(), withClosed: leniency.unreadable })
  return paths.length === 0 ? { files: [], leftOut: [] } : parseSettings(storage, paths, commandIds, leniency)
}

function folderOf({ real, folder }: Way) {
  return { path: dirname(real), identity: folder }
}

/** The user's own file (XDG Base Directory Specification: a relative path is as none). */
function ownFile(): string {
  const set = process.env['XDG_CONFIG_HOME'] ?? ''
  return join(isAbsolute(set) ? set : join(home(), '.config'), 'ckpt', 'config.yaml')
}

/** Loaded when there is something to parse: most starts find no file. */
async function parseSettings(
  storage: ReadStorage,
  paths: readonly string[],
  commandIds: readonly string[],
  leniency: Leniency,
): Promise<Settings> {
  const { parseConfig } = await import('./settings-file.js')
  const { followWay } = await import('./trust.js')
  const { people } = await import('../../machine/users-and-groups.js')
  const library = await import('yaml')
  const names = commandIds.map((id) => id.replaceAll(':', ' '))
  const read = async (path: string, way: Way) => {
    const config = parseConfig(await readConfig(storage, way.real, way), path, names, library, folderOf(way))
    if (config.hooks !== null && way.hooksDoubt !== null) return way.hooksDoubt
    await refuseMistakenHooks(config)
    return { config, named: await readTrust(config, path === ownFile()) }
  }
  let trusted = { folders: [] as readonly string[], group: false }
  const files: ParsedConfig[] = []
  const leftOut: LeftOut[] = []
  // The user's own first, which says whom to trust.
  for (const path of paths.toReversed()) {
    const way = followWay(path, people, trusted)
    if (way === null) continue
    if (way.doubt !== null) {
      leftOut.unshift({ path, ...way.doubt })
      continue
    }
    const found = await read(path, way).catch((error: unknown) => whyLeftOut(error, leniency))
    if ('reason' in found) {
      leftOut.unshift({ path, ...found })
      continue
    }
    const { config, named } = found
    trusted = { folders: [...trusted.folders, ...named.folders], group: trusted.group || named.group }
    files.unshift(config)
  }
  return { files, leftOut }
}

/** Throws the error again where it is not a reason to leave the file out. */
async function whyLeftOut(error: unknown, { unreadable, mistaken }: Leniency): Promise<Doubt> {
  const { ConfigError } = await import('../../core/formats/yaml/config-yaml.js')
  if (mistaken && error instanceof ConfigError) {
    const { position, mistake, hint } = error
    const reason = `line ${position.line}, column ${position.column}: ${mistake}`
    return { reason, hint: hint ?? 'correct it' }
  }
  if (unreadable && error instanceof StorageError) {
    return { reason: reasonOf(error), hint: 'see what it is, then correct it or move it away' }
  }
  throw error
}

/** For commands that run none, too: a mistake is told before the hook is needed. */
async function refuseMistakenHooks({ yaml, hooks, folder }: ParsedConfig): Promise<void> {
  if (hooks === null) return
  const { parseHooks } = await import('../../core/jobs/hooks/index.js')
  parseHooks(yaml, hooks, folder)
}

async function readTrust({ trust }: ParsedConfig, isOwn: boolean) {
  const { ConfigError } = await import('../../core/formats/yaml/config-yaml.js')
  const [first] = trust
  if (first !== undefined && !isOwn) {
    throw new ConfigError(first.position, 'trust stands in your own settings only', { hint: `in ${ownFile()}` })
  }
  const folders = trust.flatMap(({ text, position }) => {
    if (text === 'group') return []
    if (isAbsolute(text)) return [text.replace(/(?<=.)\/+$/, '')]
    throw new ConfigError(position, `trust names folders by absolute paths, or group, not ${JSON.stringify(text)}`)
  })
  return { folders, group: trust.some(({ text }) => text === 'group') }
}
