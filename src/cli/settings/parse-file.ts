/** The text of a `ckpt.yaml`: commands, and for each its flags by their names; beside them the hooks. */
import { dirname } from 'node:path'
import type { Node } from 'yaml'
import type { HookFolder } from '../../core/jobs/hooks/index.js'
import {
  unknownKey,
  YamlText,
  type Pair,
  type FilePosition,
  type Scalar,
  type YamlLibrary,
} from '../../core/formats/yaml/config-yaml.js'

/** One key of a command's section. */
export interface SettingEntry {
  readonly key: string
  readonly position: FilePosition
  /** One, or those of a list. */
  readonly values: readonly Scalar[]
  readonly isList: boolean
}

export interface ParsedConfig {
  /** Absolute. */
  readonly path: string
  /** The folder that the file itself lies in, behind all links: there its hooks run. */
  readonly folder: HookFolder
  /** By the commands' names. */
  readonly sections: ReadonlyMap<string, Section>
  /** Folders whose settings are taken, whichever user owns them; as written in the file. */
  readonly trust: readonly Scalar[]
  readonly yaml: YamlText
  /** What stands behind `hooks:`; null where that is nothing. */
  readonly hooks: Node | null
  /** What stands behind `layouts:`, likewise. */
  readonly layouts: Node | null
  /** `complete:`, likewise. */
  readonly complete: Pair | null
}

/** What stands behind a command's name. */
export interface Section {
  readonly position: FilePosition
  readonly entries: readonly SettingEntry[]
}

/** Keys beside the commands' names. */
const others = ['hooks', 'layouts', 'trust', 'complete'] as const

/**
 * `commands` are the names that sections may have; `folder` is the file's own, behind all links. Throws ConfigError.
 */
export function parseConfig(
  text: string,
  path: string,
  commands: readonly string[],
  library: YamlLibrary,
  folder: HookFolder = { path: dirname(path), identity: null },
): ParsedConfig {
  const yaml = new YamlText(text, path, library)
  const sections = new Map<string, Section>()
  const pairs = yaml.root === null ? [] : yaml.pairsOf(yaml.root, 'the file', example)
  for (const pair of pairs) {
    // `layouts` is a command as well, which takes no flags from here.
    if (others.some((other) => other === pair.key)) continue
    if (commands.includes(pair.key)) sections.set(pair.key, { position: pair.position, entries: entriesOf(yaml, pair) })
    else {
      throw unknownKey(pair, 'a section of ckpt.yaml', [...commands, ...others])
    }
  }
  const behind = (key: (typeof others)[number]) => pairs.find((pair) => pair.key === key)
  const trust = behind('trust')
  return {
    path,
    folder,
    sections,
    trust: trust === undefined ? [] : entryOf(yaml, trust).values,
    yaml,
    hooks: behind('hooks')?.value ?? null,
    layouts: behind('layouts')?.value ?? null,
    complete: behind('complete') ?? null,
  }
}

const example = 'prune: {keep: 2, min: [WER]}'

function entriesOf(yaml: YamlText, { key, value }: Pair): SettingEntry[] {
  return value === null ? [] : yaml.pairsOf(value, key, example).map((pair) => entryOf(yaml, pair))
}

function entryOf(yaml: YamlText, { key, position, value }: Pair): SettingEntry {
  const items = yaml.itemsOf(value)
  const values = (items ?? [value]).map((item) => yaml.scalarOf(key, item, position))
  return { key, position, values, isList: items !== null }
}
