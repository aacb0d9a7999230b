/** A text as the words that a shell would make of it, with nothing expanded. */
import { CkptError } from '../errors.js'

/** A quoted part, a backslash with what it protects, or a plain part. */
const part = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(\s+)|(.)/gsu

/**
 * Splits at white space; `'…'`, `"…"` and `\` keep it, as in POSIX shells. Throws CkptError `usage` for a quote that is
 * not closed; `what` names the text for people.
 */
export function splitWords(text: string, what: string): string[] {
  const words: string[] = []
  let word: string | null = null
  for (const [, single, double, escaped, plain, space, broken] of text.matchAll(part)) {
    if (broken !== undefined) throw new CkptError('usage', `${what}: a ${broken} without its end in ${text}`)
    if (space !== undefined) {
      if (word !== null) words.push(word)
      word = null
      continue
    }
    word = (word ?? '') + (single ?? double?.replace(/\\([\\"$`])/g, '$1') ?? escaped ?? plain ?? '')
  }
  return word === null ? words : [...words, word]
}
