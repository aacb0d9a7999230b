/** PyYAML's dialect: text -> Python values as data. Nothing in a tag is executed. */
import type { LookAtCall } from '../python/calls.js'
import type { PyValue } from '../python/value.js'
import { parsePlain } from './plain.js'

export { dumpPyYaml } from './dump.js'
export { parsePlain } from './plain.js'
export { resolvePlain } from './scalars.js'
export type * from '../python/value.js'

/**
 * Loads the parser for all that `parsePlain` does not know; hand many texts to what it answers. The parser throws
 * FormatError with line and column, also for a call that `look` refuses.
 */
export async function loadPyYaml(): Promise<(text: string, look?: LookAtCall) => PyValue> {
  const { parseDocument } = await import('./document.js')
  return parseDocument
}

/** The value that PyYAML's `yaml.load(text, Loader=yaml.Loader)` gives; null for an empty text. Throws FormatError. */
export async function parsePyYaml(text: string): Promise<PyValue> {
  const plain = parsePlain(text)
  return plain === undefined ? (await loadPyYaml())(text) : plain
}
