/**
 * The full path: structure by the `yaml` package, which keeps every tag and reads no meaning into any; scalars,
 * tags and their quirks by PyYAML's own rules. Loaded only when a text needs it.
 */
import { Composer, Lexer, LineCounter, Parser, type CST, type Document } from 'yaml'
import { FormatError } from '../../errors.js'
import type { LookAtCall } from '../python/calls.js'
import { constructDocument } from './construct.js'
import type { PyValue } from '../python/value.js'
import { withoutStacks } from './without-stacks.js'

/** Deeper than PyYAML itself can read with Python's recursion limit. */
const maxDepth = 256

/** Characters. A meta is a few hundred; one with tensors in it a few thousand. */
const maxLength = 64 * 1024 * 1024

/** Words, marks and line ends of a text; each costs time and memory. A meta of a thousand keys has five thousand. */
const mostLexemes = 200_000
/** Lines, of which a long text in one piece has many. */
const mostLines = 200_000

/** What PyYAML's reader refuses (yaml/reader.py, NON_PRINTABLE). */
const unprintable = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

/** Throws FormatError with line, column and offset in characters, also for a call that `look` refuses. */
export function parseDocument(source: string, look?: LookAtCall): PyValue {
  const { document, mistake } = composeDocument(source)
  return constructDocument(document?.contents ?? null, mistake, look)
}

export interface ComposedDocument {
  /** Its tags are as they are written, its scalars text; undefined for an empty text. */
  readonly document: Document.Parsed | undefined
  /** A message about the character at `offset`, with its line and column. */
  readonly mistake: (message: string, offset: number) => FormatError
}

/** The structure alone of a text that holds one document, with bounds on its size and depth. Throws FormatError. */
export function composeDocument(source: string): ComposedDocument {
  // To PyYAML a NEL is a line feed; the `yaml` package takes it for a letter.
  const printable = (source.startsWith('\uFEFF') ? source.slice(1) : source).replaceAll('\x85', '\n')
  const lines = new LineCounter()
  checkText(printable)
  const text = separateAliasKeys(printable)
  const tokens = tokensOf(text, lines)
  const documents = new Composer({
    schema: 'failsafe',
    resolveKnownTags: false,
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    strict: true,
    logLevel: 'error',
    stringKeys: false,
  }).compose(tokens, true, text.length)
  return {
    document: withoutStacks(() => onlyDocument(documents, lines)),
    mistake: (message, offset) => syntaxError(message, offset, lines),
  }
}

function onlyDocument(documents: Iterable<Document.Parsed>, lines: LineCounter): Document.Parsed | undefined {
  let first: Document.Parsed | undefined
  for (const document of documents) {
    const [error] = document.errors
    if (error !== undefined) throw syntaxError(error.message, error.pos[0], lines)
    if (first !== undefined)
      throw syntaxError('expected the end of the file, but found another document', document.range[0], lines)
    first = document
  }
  return first
}

function syntaxError(message: string, offset: number, lines: LineCounter): FormatError {
  const { line, col } = lines.linePos(offset)
  const [firstLine = ''] = message.split('\n')
  return new FormatError(`line ${line}, column ${Math.max(col, 1)}: ${firstLine}`, { offset })
}

function checkText(text: string): void {
  if (text.length > maxLength) {
    throw new FormatError(`is a text of ${text.length} characters; at most ${maxLength} are read`)
  }
  if (text.length > mostLines && (text.match(/\n/g)?.length ?? 0) > mostLines) {
    throw new FormatError(`has more than ${mostLines} lines; at most that many are read`)
  }
  const match = unprintable.exec(text)
  if (match === null) return
  const before = text.slice(0, match.index)
  const line = before.split('\n').length
  const column = match.index - before.lastIndexOf('\n')
  const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  throw new FormatError(`line ${line}, column ${column}: the character U+${code} is not allowed in YAML`, {
    offset: match.index,
  })
}

/**
 * PyYAML writes an alias as a key without a blank before the colon (`*id001: 1`), and reads no colon into its name;
 * YAML 1.2 does. So the blank is put in.
 */
function separateAliasKeys(text: string): string {
  if (!/\*[A-Za-z0-9_-]+:(?:[ \n]|$)/.test(text)) return text
  const parts: string[] = []
  let from = 0
  let at = 0
  for (const lexeme of lexemesOf(text)) {
    if (lexerMarks.has(lexeme)) continue
    at += lexeme.length
    if (!/^\*[A-Za-z0-9_-]+:$/.test(lexeme)) continue
    parts.push(text.slice(from, at - 1))
    from = at - 1
  }
  return [...parts, text.slice(from)].join(' ')
}

/** The pieces of a text. Throws FormatError for one of too many: all that comes after them would take too long. */
function* lexemesOf(text: string): Iterable<string> {
  let count = 0
  for (const lexeme of new Lexer().lex(text)) {
    count += 1
    if (count > mostLexemes) {
      throw new FormatError(`has more than ${mostLexemes} words and marks of YAML; at most that many are read`)
    }
    yield lexeme
  }
}

/** What the lexer says between the pieces of the text: a document, a flow's end, a scalar. */
const lexerMarks = new Set(['\u0002', '\u0018', '\u001f'])

/** The tokens of a text, up to the first mistake: it is what is reported, and of the rest each mark may be another. */
function tokensOf(text: string, lines: LineCounter): CST.Token[] {
  const tokens: CST.Token[] = []
  const parser = new Parser(lines.addNewLine)
  const nesting = new Nesting(lines)
  lines.addNewLine(0)
  const keep = (found: Iterable<CST.Token>): void => {
    for (const token of found) {
      checkDepth(token, lines)
      tokens.push(token)
    }
  }
  for (const lexeme of lexemesOf(text)) {
    nesting.add(lexeme)
    keep(parser.next(lexeme))
    if (tokens.at(-1)?.type === 'error') return tokens
  }
  keep(parser.end())
  return tokens
}

/** Stops a text of brackets or dashes before the parser piles them up, which takes it long. */
class Nesting {
  readonly #lines: LineCounter
  #offset = 0
  #brackets = 0
  #marksInLine = 0

  constructor(lines: LineCounter) {
    this.#lines = lines
  }

  add(lexeme: string): void {
    if (lexeme === '[' || lexeme === '{') this.#brackets++
    else if (lexeme === ']' || lexeme === '}') this.#brackets--
    else if (lexeme === '-' || lexeme === '?') this.#marksInLine++
    else if (lexeme.includes('\n')) this.#marksInLine = 0
    if (this.#brackets > maxDepth || this.#marksInLine > maxDepth) throw tooDeep(this.#offset, this.#lines)
    if (!lexerMarks.has(lexeme)) this.#offset += lexeme.length
  }
}

function tooDeep(offset: number, lines: LineCounter): FormatError {
  return syntaxError(`nested deeper than ${maxDepth} levels`, offset, lines)
}

/** Walks a token tree without recursion: the composer recurses, so what is too deep must not reach it. */
function checkDepth(root: CST.Token, lines: LineCounter): void {
  const stack: [token: CST.Token, depth: number][] = [[root, 0]]
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const [token, depth] = top
    if (depth > maxDepth) throw tooDeep(token.offset, lines)
    for (const child of childrenOf(token)) stack.push([child, depth + 1])
  }
}

function* childrenOf(token: CST.Token): Iterable<CST.Token> {
  if (token.type === 'document' && token.value !== undefined) yield token.value
  if (token.type !== 'block-map' && token.type !== 'block-seq' && token.type !== 'flow-collection') return
  for (const item of token.items) {
    if (item.key) yield item.key
    if (item.value) yield item.value
  }
}
