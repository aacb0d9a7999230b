/** The text of a `ckpt.yaml`: commands, and for each its flags by their names; beside them the hooks. */
import type { Node } from 'yaml'
import { unknownKey, YamlText, type Pair, type Place, type Scalar } from './yaml.js'

/** One key of a command's section. */
export interface Entry {
  readonly key: string
  readonly place: Place
  /** One, or those of a list. */
  readonly values: readonly Scalar[]
  readonly isList: boolean
}

export interface ParsedConfig {
  /** By the commands' names. */
  readonly sections: ReadonlyMap<string, readonly Entry[]>
  readonly yaml: YamlText
  /** What stands behind `hooks:`; null where that is nothing. */
  readonly hooks: Node | null
}

const hooksKey = 'hooks'

/** `known` gives for each command the keys that its section may have. Throws ConfigError. */
export function parseConfig(text: string, path: string, known: ReadonlyMap<string, readonly string[]>): ParsedConfig {
  const yaml = new YamlText(text, path)
  const sections = new Map<string, readonly Entry[]>()
  let hooks: Node | null = null
  for (const pair of yaml.root === null ? [] : yaml.pairsOf(yaml.root, 'the file', example)) {
    const keys = known.get(pair.key)
    if (pair.key === hooksKey) hooks = pair.value
    else if (keys !== undefined) sections.set(pair.key, sectionOf(yaml, pair, keys))
    else throw unknownKey(pair, 'a section of ckpt.yaml', [...known.keys(), hooksKey])
  }
  return { sections, yaml, hooks }
}

const example = 'prune: {keep: 2, min: [WER]}'

function sectionOf(yaml: YamlText, { key: command, value }: Pair, keys: readonly string[]): Entry[] {
  const pairs = value === null ? [] : yaml.pairsOf(value, command, example)
  return pairs.map((pair) => {
    if (!keys.includes(pair.key)) throw unknownKey(pair, `a key of ${command}`, keys)
    return entryOf(yaml, pair)
  })
}

function entryOf(yaml: YamlText, { key, place, value }: Pair): Entry {
  const items = yaml.itemsOf(value)
  const values = (items ?? [value]).map((item) => yaml.scalarOf(key, item, place))
  return { key, place, values, isList: items !== null }
}
