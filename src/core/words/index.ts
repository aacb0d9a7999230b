/** Texts as a shell's words. */
export { splitArguments, splitWords, WordMistake, type RawWord } from './split-words.js'
