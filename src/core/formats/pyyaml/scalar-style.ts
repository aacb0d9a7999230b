/** Which of YAML's ways of writing a string `yaml.dump` takes: bare where that reads back as the same string. */
import { implicitTag } from './scalars.js'

export type ScalarStyle = 'plain' | 'single' | 'double'

/** Line feeds aside, PyYAML writes all but printable ASCII with escapes, which only double quotes have. */
const needsEscapes = /[^\n\x20-\x7e]/
/** What means something at the beginning of a plain scalar, or within it. */
const indicators = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \n]|$))|:(?:[ \n]|$)|[ \n]#/
const outerSpace = /^[ \n]|[ \n]$/

/** As PyYAML's emitter chooses in block context (yaml/emitter.py, `analyze_scalar` and `choose_scalar_style`). */
export function styleOf(text: string, isKey: boolean): ScalarStyle {
  // Blanks beside a line feed would be lost when the lines are folded.
  if (needsEscapes.test(text) || text.includes(' \n') || text.includes('\n ')) return 'double'
  const multiline = text.includes('\n')
  if (isKey && multiline) return 'double'
  const bare = text !== '' && !multiline && !outerSpace.test(text) && !indicators.test(text)
  return bare && implicitTag(text) === 'str' ? 'plain' : 'single'
}
