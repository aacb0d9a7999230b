/** From a text to the words that a shell would make of it (POSIX, Shell Command Language 2.2, Quoting), and back. */
import { CkptError } from '../../errors.js'

/** A mistake in such a text, at the character `index`. */
export class WordMistake extends Error {
  constructor(
    readonly index: number,
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** What keeps a character from being read as a shell would: nothing, `"…"`, or `'…'` and a backslash. */
type Quoting = 'none' | 'double' | 'full'

/** Characters of a word; an empty word of quotes is one too. */
export interface RawWord {
  readonly text: string
  /** For each UTF-16 unit of `text`, where it stands. */
  readonly indices: readonly number[]
  /** Likewise. */
  readonly quoting: readonly Quoting[]
}

/** What a backslash takes its meaning from within double quotes. */
const escapable = new Set('$`"\\\n')

/** Throws WordMistake for a quote that is not closed, and for a backslash with nothing behind it. */
export function splitWords(text: string): RawWord[] {
  const words: RawWord[] = []
  for (let at = 0; at < text.length;) {
    if (isBlank(text.charAt(at))) at += 1
    else if (text.startsWith('\\\n', at)) at += 2
    else {
      const word = new WordReader(text, at)
      words.push(word.read())
      at = word.at
    }
  }
  return words
}

/** The same for the text of a flag, which `what` names for people. Throws CkptError `usage`. */
export function splitArguments(text: string, what: string): string[] {
  try {
    return splitWords(text).map((word) => word.text)
  } catch (error) {
    if (!(error instanceof WordMistake)) throw error
    throw new CkptError('usage', `${what}: ${error.message} in ${text}`, { hint: error.hint, cause: error })
  }
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n'
}

class WordReader {
  private word = ''
  private readonly indices: number[] = []
  private readonly quoting: Quoting[] = []

  constructor(
    private readonly text: string,
    public at: number,
  ) {}

  read(): RawWord {
    for (; this.at < this.text.length && !isBlank(this.text.charAt(this.at)); this.at += 1) {
      const character = this.text.charAt(this.at)
      if (character === "'") this.readSingleQuoted()
      else if (character === '"') this.readDoubleQuoted()
      else if (character === '\\') this.readEscaped()
      else this.take('none')
    }
    return { text: this.word, indices: this.indices, quoting: this.quoting }
  }

  private readSingleQuoted(): void {
    const start = this.at
    const end = this.text.indexOf("'", start + 1)
    if (end === -1) throw unclosed(start, "'")
    for (this.at += 1; this.at < end; this.at += 1) this.take('full')
  }

  private readDoubleQuoted(): void {
    const start = this.at
    for (this.at += 1; this.text.charAt(this.at) !== '"'; this.at += 1) {
      const character = this.text.charAt(this.at)
      if (character === '') throw unclosed(start, '"')
      if (character === '\\' && escapable.has(this.text.charAt(this.at + 1))) this.readEscaped()
      else this.take('double')
    }
  }

  private readEscaped(): void {
    this.at += 1
    const character = this.text.charAt(this.at)
    if (character === '') throw new WordMistake(this.at - 1, 'a backslash with nothing behind it', 'write \\\\ for one')
    // A line that goes on.
    if (character !== '\n') this.take('full')
  }

  private take(quoting: Quoting): void {
    this.indices.push(this.at)
    this.quoting.push(quoting)
    this.word += this.text.charAt(this.at)
  }
}

function unclosed(index: number, quote: string): WordMistake {
  return new WordMistake(index, `${quote} is never closed`, `close it, or write \\${quote}`)
}

/** For a program: the text as one word of a POSIX shell, whatever is in it. */
export function shellWord(text: string): string {
  return /^(?!=)[\w.=/:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * For people to paste. Where something in it cannot be shown as it is, it stands in quotes within which the escapes that
 * people are shown mean just that (`$'…'` of bash and zsh).
 */
export function quoteWord(word: string): string {
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(word)) return shellWord(word)
  return `$'${word.replace(/['\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)}'`
}
