/**
 * The text of a command as arguments. What a shell would act on must stand in quotes: without one it would mean
 * something else than it says.
 */
import { splitWords, WordMistake, type RawWord } from '../../formats/text/shell-words.js'

const special = new Set('|&;<>()$`*?[')
const specialAtStart = new Set('#~')
const specialInDoubleQuotes = new Set('$`')

/** Throws WordMistake. */
export function splitCommand(text: string): RawWord[] {
  const words = splitWords(text)
  for (const word of words) refuseSpecial(word)
  return words
}

function refuseSpecial({ text, indices, quoting }: RawWord): void {
  for (const [at, index] of indices.entries()) {
    const character = text.charAt(at)
    const isSpecial =
      quoting[at] === 'none'
        ? special.has(character) || (at === 0 && specialAtStart.has(character))
        : quoting[at] === 'double' && specialInDoubleQuotes.has(character)
    if (isSpecial) throw refusal(index, character)
  }
}

function refusal(index: number, character: string): WordMistake {
  return new WordMistake(
    index,
    `${character} would mean something to a shell, and there is none here`,
    "put it in '…', or add shell: true, where the values are $CKPT_SOURCE, $CKPT_TARGET, …",
  )
}
