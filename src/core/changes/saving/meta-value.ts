/** A value of the meta as someone types it in a shell. */
import { FormatError } from '../../errors.js'
import { parsePyYaml, resolvePlain, type PyValue } from '../../formats/pyyaml/index.js'

/** As Python and most programs print numbers, where PyYAML would see a text. */
const printedFloat = /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$/
const printedSpecial: ReadonlyMap<string, number> = new Map([
  ['nan', NaN],
  ['inf', Infinity],
  ['-inf', -Infinity],
])
const quoted = /^(["']).*\1$/s

/**
 * What PyYAML reads when the text stands behind a key as it is: `15.5` is a float, `3` an int, `true` a boolean,
 * `null` and nothing at all None, `2024-01-31` a date, any other a text; a text in quotes is a text. Beyond PyYAML,
 * `1e-4`, `nan`, `inf` and `-inf` are floats, for so programs print them.
 */
export async function parseMetaValue(text: string): Promise<PyValue> {
  if (printedFloat.test(text)) return Number(text)
  const special = printedSpecial.get(text)
  if (special !== undefined) return special
  try {
    return quoted.test(text) ? await quotedText(text) : resolvePlain(text)
  } catch (error) {
    if (error instanceof FormatError) return text
    throw error
  }
}

async function quotedText(text: string): Promise<PyValue> {
  const value = await parsePyYaml(text)
  return typeof value === 'string' ? value : text
}
