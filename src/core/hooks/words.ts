/**
 * The text of a command as the arguments that a shell would make of it (POSIX, Shell Command Language 2.2, Quoting),
 * with nothing expanded. What a shell would act on must stand in quotes: without one it would mean something else
 * than it says.
 */
/** A mistake in the text of a command, at the character `index`. */
export class CommandMistake extends Error {
  constructor(
    readonly index: number,
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}

/** Characters of a word, each with where it stands; an empty word of quotes is one too. */
export interface RawWord {
  readonly text: string
  /** For each UTF-16 unit of `text`. */
  readonly indices: readonly number[]
}

const special = new Set('|&;<>()$`*?[')
const specialInDoubleQuotes = new Set('$`')
/** What a backslash takes its meaning from within double quotes. */
const escapable = new Set('$`"\\\n')

/** Throws CommandMistake. */
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

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n'
}

class WordReader {
  private word = ''
  private readonly indices: number[] = []

  constructor(
    private readonly text: string,
    public at: number,
  ) {}

  read(): RawWord {
    const start = this.at
    for (; this.at < this.text.length && !isBlank(this.text.charAt(this.at)); this.at += 1) {
      const character = this.text.charAt(this.at)
      if (character === "'") this.readSingleQuoted()
      else if (character === '"') this.readDoubleQuoted()
      else if (character === '\\') this.readEscaped()
      else if (special.has(character) || (this.at === start && '#~'.includes(character))) throw this.refuse(character)
      else this.take()
    }
    return { text: this.word, indices: this.indices }
  }

  private readSingleQuoted(): void {
    const start = this.at
    const end = this.text.indexOf("'", start + 1)
    if (end === -1) throw unclosed(start, "'")
    for (this.at += 1; this.at < end; this.at += 1) this.take()
  }

  private readDoubleQuoted(): void {
    const start = this.at
    for (this.at += 1; this.text.charAt(this.at) !== '"'; this.at += 1) {
      const character = this.text.charAt(this.at)
      if (character === '') throw unclosed(start, '"')
      if (specialInDoubleQuotes.has(character)) throw this.refuse(character)
      if (character === '\\' && escapable.has(this.text.charAt(this.at + 1))) this.readEscaped()
      else this.take()
    }
  }

  private readEscaped(): void {
    this.at += 1
    const character = this.text.charAt(this.at)
    if (character === '')
      throw new CommandMistake(this.at - 1, 'a backslash with nothing behind it', 'write \\\\ for one')
    // A line that goes on.
    if (character !== '\n') this.take()
  }

  private take(): void {
    this.indices.push(this.at)
    this.word += this.text.charAt(this.at)
  }

  private refuse(character: string): CommandMistake {
    return new CommandMistake(
      this.at,
      `${character} would mean something to a shell, and there is none here`,
      "put it in '…', or add shell: true, where the values are $CKPT_SOURCE, $CKPT_TARGET, …",
    )
  }
}

function unclosed(index: number, quote: string): CommandMistake {
  return new CommandMistake(index, `${quote} is never closed`, `close it, or write \\${quote}`)
}
