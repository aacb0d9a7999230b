/** The text of a YAML document while it grows, folded at 80 columns as PyYAML folds it (yaml/emitter.py). */
import type { ScalarStyle } from './scalar-style.js'

const width = 80

const escapes: ReadonlyMap<string, string> = new Map([
  ['\0', '0'],
  ['\x07', 'a'],
  ['\b', 'b'],
  ['\t', 't'],
  ['\n', 'n'],
  ['\v', 'v'],
  ['\f', 'f'],
  ['\r', 'r'],
  ['\x1b', 'e'],
  ['"', '"'],
  ['\\', '\\'],
  ['\x85', 'N'],
  ['\xa0', '_'],
  ['\u2028', 'L'],
  ['\u2029', 'P'],
])

export class TextWriter {
  #text = ''
  /** Where the line that is being written began. */
  #lineStart = 0

  get text(): string {
    return this.#text
  }

  get #column(): number {
    return this.#text.length - this.#lineStart
  }

  /** Only ASCII, and no line feed. */
  append(text: string): void {
    this.#text += text
  }

  /** Begins a line with that many blanks; the first one of a document is there already. */
  startLine(indent: number): void {
    if (this.#text !== '') this.#breakLine()
    this.append(' '.repeat(indent))
  }

  /** Lines that folding begins have `indent` blanks. Keys are never folded. */
  scalar(text: string, style: ScalarStyle, indent: number, isKey: boolean): void {
    switch (style) {
      case 'plain': {
        this.#plain(text, indent, isKey)
        return
      }
      case 'single': {
        this.#single(text, indent, isKey)
        return
      }
      case 'double': {
        this.#double(Array.from(text), indent, isKey)
        return
      }
    }
  }

  #breakLine(): void {
    this.#text += '\n'
    this.#lineStart = this.#text.length
  }

  #fold(indent: number): void {
    this.#breakLine()
    this.append(' '.repeat(indent))
  }

  /** A lone blank past the last column becomes a line feed; several blanks stay as they are. */
  #plain(text: string, indent: number, isKey: boolean): void {
    for (const part of text.split(/( +)/)) {
      if (part === ' ' && !isKey && this.#column > width) this.#fold(indent)
      else this.append(part)
    }
  }

  /** A line feed is written as one more than there are: the first only ends the line. */
  #single(text: string, indent: number, isKey: boolean): void {
    this.append("'")
    const parts = text.split(/( +|\n+)/)
    parts.forEach((part, index) => {
      const inside = !isOuter(parts, index)
      if (part === ' ' && inside && !isKey && this.#column > width) this.#fold(indent)
      else if (part.startsWith('\n')) this.#lineFeeds(part.length, indent)
      else this.append(part.replaceAll("'", "''"))
    })
    this.append("'")
  }

  #lineFeeds(count: number, indent: number): void {
    for (let written = 0; written <= count; written += 1) this.#breakLine()
    this.append(' '.repeat(indent))
  }

  /** Past the last column a line ends in a backslash, and a blank that begins the next one has one before it. */
  #double(characters: readonly string[], indent: number, isKey: boolean): void {
    this.append('"')
    let afterEscape = false
    characters.forEach((character, index) => {
      const escaped = escapeOf(character)
      const mayFold = !isKey && index > 0 && index < characters.length - 1
      if (escaped !== null) {
        this.append(escaped)
        // PyYAML counts one column less right behind an escape.
        if (mayFold && this.#column - 1 > width) this.#foldEscaped(indent, characters[index + 1])
      } else {
        if (mayFold && (character === ' ' || afterEscape) && this.#column > width) this.#foldEscaped(indent, character)
        this.append(character)
      }
      afterEscape = escaped !== null
    })
    this.append('"')
  }

  #foldEscaped(indent: number, next: string | undefined): void {
    this.append('\\')
    this.#fold(indent)
    if (next === ' ') this.append('\\')
  }
}

/** What `split` puts before and after blanks that begin or end a text is empty. */
function isOuter(parts: readonly string[], index: number): boolean {
  return (index === 1 && parts[0] === '') || (index === parts.length - 2 && parts.at(-1) === '')
}

function escapeOf(character: string): string | null {
  if (/^[ !#-[\]-~]$/.test(character)) return null
  const named = escapes.get(character)
  if (named !== undefined) return `\\${named}`
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase()
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`
}
