/** YAML (1.2, core schema) that people write by hand, read so that every mistake is reported with its line and column. */
import type { Document, LineCounter, Node, YAMLMap } from 'yaml'
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../nearest.js'
import { withoutStacks } from '../pyyaml/without-stacks.js'

/** Where something stands; both count from 1. */
export interface FilePosition {
  readonly path: string
  readonly line: number
  readonly column: number
}

/** As compilers tell it: `/exp/ckpt.yaml:3:5`. */
export function positionText({ path, line, column }: FilePosition): string {
  return `${path}:${line}:${column}`
}

/** The next step where a file is no YAML. */
const wayOfWriting =
  'keys of a section stand below it, all as far to the right, with spaces and no tabs; a list: [A, B]'

/** A mistake in such a file, with its line and column: `/exp/ckpt.yaml:3:5: …`. */
export class ConfigError extends CkptError {
  constructor(
    readonly position: FilePosition,
    /** The message without the place. */
    readonly mistake: string,
    details: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super('usage', `${positionText(position)}: ${mistake}`, details)
  }
}

/** The same mistake, found by someone who did not know where the value stands. */
export function atPosition(position: FilePosition, error: CkptError): ConfigError {
  const { message, hint } = error
  return new ConfigError(position, message, hint === undefined ? { cause: error } : { hint, cause: error })
}

/** One plain value. */
export interface Scalar {
  /** As it is written: `0.10` stays `0.10`. */
  readonly text: string
  /** Null for what is not a boolean. */
  readonly boolean: boolean | null
  readonly position: FilePosition
  /** The place of one character of the text; where that is unknown, of the text. */
  readonly positionAt: (index: number) => FilePosition
}

/** One key with what stands behind it; null for nothing. */
export interface Pair {
  readonly key: string
  readonly position: FilePosition
  readonly value: Node | null
}

/** The library, which is loaded where there is something to parse: most starts find nothing. */
export type YamlLibrary = typeof import('yaml')

/** Levels of lists and mappings within one another, but for those that are indented, of which a file has few. */
const deepest = 100

/** Tokens of the library's own, which stand for nothing in the text. */
const markers = new Set(['doc-mode', 'flow-error-end', 'scalar'])

export class YamlText {
  private readonly lines: LineCounter
  private readonly document: Document.Parsed

  /** `path` is for messages. Throws ConfigError for what is not YAML. */
  constructor(
    private readonly text: string,
    private readonly path: string,
    private readonly library: YamlLibrary,
  ) {
    this.lines = new library.LineCounter()
    this.refuseDepth()
    this.document = withoutStacks(() =>
      library.parseDocument(text, {
        lineCounter: this.lines,
        version: '1.2',
        schema: 'core',
        prettyErrors: false,
        // It holds each key against all before it; `pairsOf` looks at those that are read.
        uniqueKeys: false,
      }),
    )
    const [mistake] = this.document.errors
    if (mistake !== undefined)
      throw new ConfigError(this.positionAt(mistake.pos[0]), mistake.message, { cause: mistake, hint: wayOfWriting })
  }

  /** The library's parser calls itself for each level. */
  private refuseDepth(): void {
    let offset = 0
    let inFlow = 0
    let inLine = 0
    for (const token of new this.library.Lexer().lex(this.text)) {
      const type = this.library.CST.tokenType(token)
      if (type === 'flow-map-start' || type === 'flow-seq-start') inFlow += 1
      else if (type === 'flow-map-end' || type === 'flow-seq-end') inFlow -= 1
      else if (type === 'seq-item-ind' || type === 'explicit-key-ind') inLine += 1
      else if (type === 'newline') inLine = 0
      if (inFlow + inLine > deepest) {
        const before = this.text.slice(0, offset).split('\n')
        const position = { path: this.path, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
        throw new ConfigError(position, `nested deeper than ${deepest} levels; at most that many are read`)
      }
      if (type === null || !markers.has(type)) offset += token.length
    }
  }

  /** Null for an empty file. */
  get root(): Node | null {
    return this.resolve(this.document.contents)
  }

  /** The keys of a mapping, in order. `what` names it in messages, `example` shows one. Throws ConfigError. */
  pairsOf(node: Node, what: string, example: string): Pair[] {
    if (!this.library.isMap(node))
      throw new ConfigError(this.positionOf(node), `${what} holds no keys`, { hint: example })
    const seen = new Set<string>()
    return node.items.map(({ key, value }) => {
      const name = this.library.isScalar(key) ? key.value : null
      if (typeof name !== 'string') throw new ConfigError(this.positionOf(key), `${what} has a key that is not text`)
      if (seen.has(name))
        throw new ConfigError(this.positionOf(key), `${JSON.stringify(name)} stands here twice`, {
          hint: 'a key stands once; of several values make a list: [A, B]',
        })
      seen.add(name)
      return { key: name, position: this.positionOf(key), value: this.resolve(value) }
    })
  }

  isMapping(node: Node | null): node is YAMLMap {
    return this.library.isMap(node)
  }

  /** The items of a list; null for what is not a list. */
  itemsOf(node: Node | null): (Node | null)[] | null {
    return this.library.isSeq(node) ? node.items.map((item) => this.resolve(item)) : null
  }

  /** The value of `key`, which must be a plain one. `fallback` is the place of the key. Throws ConfigError. */
  scalarOf(key: string, node: Node | null, fallback: FilePosition): Scalar {
    const position = node === null ? fallback : this.positionOf(node)
    if (!this.library.isScalar(node) || node.value === null) {
      const what = node === null ? 'no value' : this.library.isMap(node) ? 'keys of its own' : 'a list'
      throw new ConfigError(position, `${key} has ${what}, where a text, a number or true is expected`)
    }
    const { value, source } = node
    const text = typeof value === 'string' ? value : (source ?? JSON.stringify(value))
    const boolean = typeof value === 'boolean' ? value : null
    return { text, boolean, position, positionAt: (index) => this.positionWithin(node, text, index) }
  }

  positionOf(node: unknown): FilePosition {
    const range =
      this.library.isScalar(node) || this.library.isMap(node) || this.library.isSeq(node) || this.library.isAlias(node)
        ? node.range
        : undefined
    return this.positionAt(range?.[0] ?? 0)
  }

  /** What an alias stands for; null for a value that is left out. */
  private resolve(item: unknown): Node | null {
    const node = this.library.isAlias(item) ? item.resolve(this.document) : item
    if (this.library.isScalar(node)) return node.value === null ? null : node
    return this.library.isMap(node) || this.library.isSeq(node) ? node : null
  }

  /** Quotes and escapes stand before some texts: only one that stands there as it is can be counted in. */
  private positionWithin(node: Node, text: string, index: number): FilePosition {
    const [start = 0, end = 0] = node.range ?? []
    const at = this.text.slice(start, end).indexOf(text)
    return this.positionAt(at === -1 ? start : start + at + index)
  }

  private positionAt(offset: number): FilePosition {
    const { line, col } = this.lines.linePos(offset)
    return { path: this.path, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

/** An unknown key or section, with the nearest that is known. */
export function unknownKey({ key, position }: Pair, what: string, known: readonly string[]): ConfigError {
  const hint = didYouMean(key, known) ?? `known are: ${known.join(', ')}`
  return new ConfigError(position, `${JSON.stringify(key)} is not ${what}`, { hint })
}
