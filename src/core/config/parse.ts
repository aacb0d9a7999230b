/** The text of a `ckpt.yaml` (YAML 1.2, core schema): commands, and for each its flags by their names. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml'
import { CkptError } from '../errors.js'
import { nearestName } from '../expression/index.js'

/** Where something stands; both count from 1. */
export interface Place {
  readonly path: string
  readonly line: number
  readonly column: number
}

/** One plain value. */
export interface Scalar {
  /** As it is written: `0.10` stays `0.10`. */
  readonly text: string
  /** Null for what is no boolean. */
  readonly boolean: boolean | null
  readonly place: Place
}

/** One key of a command's section. */
export interface Entry {
  readonly key: string
  readonly place: Place
  /** One, or those of a list. */
  readonly values: readonly Scalar[]
  readonly isList: boolean
}

/** A mistake in the file, told with its place: \`/exp/ckpt.yaml:3:5: …\`. */
export class ConfigError extends CkptError {
  constructor(place: Place, message: string, details: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super('usage', `${place.path}:${place.line}:${place.column}: ${message}`, details)
  }
}

/**
 * The sections by command. \`known\` gives for each command the keys that its section may have. Throws ConfigError.
 */
export function parseConfig(
  text: string,
  path: string,
  known: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, readonly Entry[]> {
  return new Reader(text, path).read(known)
}

class Reader {
  private readonly lines = new LineCounter()
  private readonly document: Document.Parsed

  constructor(
    text: string,
    private readonly path: string,
  ) {
    this.document = parseDocument(text, {
      lineCounter: this.lines,
      version: '1.2',
      schema: 'core',
      prettyErrors: false,
    })
  }

  read(known: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly Entry[]> {
    const [mistake] = this.document.errors
    if (mistake !== undefined) throw new ConfigError(this.placeAt(mistake.pos[0]), mistake.message, { cause: mistake })
    const root = this.document.contents as Node | null
    const sections = new Map<string, readonly Entry[]>()
    if (root === null || (isScalar(root) && root.value === null)) return sections
    for (const [command, pair] of this.pairsOf(root, 'the file')) {
      const keys = known.get(command)
      if (keys === undefined) throw this.unknown(pair, command, 'a section of ckpt.yaml', [...known.keys()])
      sections.set(command, this.sectionOf(command, pair, keys))
    }
    return sections
  }

  private sectionOf(command: string, pair: Pair, keys: readonly string[]): Entry[] {
    const value = this.resolve(pair.value)
    if (value === null || (isScalar(value) && value.value === null)) return []
    return [...this.pairsOf(value, command)].map(([key, item]) => {
      if (!keys.includes(key)) throw this.unknown(item, key, `a key of ${command}`, keys)
      return this.entryOf(key, item)
    })
  }

  private entryOf(key: string, pair: Pair): Entry {
    const place = this.placeOf(pair.key)
    const value = this.resolve(pair.value)
    if (isSeq(value)) {
      return { key, place, isList: true, values: value.items.map((item) => this.scalarOf(key, item, place)) }
    }
    return { key, place, isList: false, values: [this.scalarOf(key, value, place)] }
  }

  private scalarOf(key: string, item: unknown, fallback: Place): Scalar {
    const node = this.resolve(item)
    const place = node === null ? fallback : this.placeOf(node)
    if (!isScalar(node) || node.value === null) {
      const what = isScalar(node) || node === null ? 'no value' : isMap(node) ? 'keys of its own' : 'a list in a list'
      throw new ConfigError(place, `${key} has ${what}, where a text, a number or true is expected`)
    }
    const { value, source } = node
    return {
      text: typeof value === 'string' ? value : (source ?? JSON.stringify(value)),
      boolean: typeof value === 'boolean' ? value : null,
      place,
    }
  }

  private *pairsOf(node: Node, what: string): Generator<[string, Pair]> {
    if (!isMap(node)) {
      throw new ConfigError(this.placeOf(node), `${what} holds no keys`, { hint: 'prune: {keep: 2, min: [WER]}' })
    }
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? pair.key.value : null
      if (typeof key !== 'string') throw new ConfigError(this.placeOf(pair.key), `${what} has a key that is no text`)
      yield [key, pair]
    }
  }

  private unknown({ key }: Pair, name: string, what: string, known: readonly string[]): ConfigError {
    const near = nearestName(name, known)
    const hint = near === undefined ? `known are: ${known.join(', ')}` : `did you mean ${near}?`
    return new ConfigError(this.placeOf(key), `${JSON.stringify(name)} is not ${what}`, { hint })
  }

  private resolve(item: unknown): Node | null {
    if (isAlias(item)) return item.resolve(this.document) ?? null
    return isScalar(item) || isMap(item) || isSeq(item) ? item : null
  }

  private placeOf(node: unknown): Place {
    const range = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : undefined
    return this.placeAt(range?.[0] ?? 0)
  }

  private placeAt(offset: number): Place {
    const { line, col } = this.lines.linePos(offset)
    return { path: this.path, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}
