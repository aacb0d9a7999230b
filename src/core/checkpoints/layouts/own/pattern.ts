/** Names as people write them in ckpt.yaml: `ckpt_{step:int}_{loss:float}.pt`, `*` for any part of a name. */

/** What a name's pattern says. */
export interface NamePattern {
  /** Of the whole name, without anchors; each placeholder is a group. */
  readonly source: string
  /** By the group's name, what the fact is called. */
  readonly called: Readonly<Record<string, string>>
  readonly isFolder: boolean
}

/** A mistake in a pattern, and where in it. */
export class PatternError extends Error {
  constructor(
    message: string,
    readonly at: number,
    readonly hint?: string,
  ) {
    super(message)
  }
}

const kinds: Readonly<Record<string, string>> = {
  int: '[-+]?\\d+',
  float: '[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?|[-+]?(?:nan|inf)',
  text: '[^/]+?',
}

/** Throws PatternError. */
export function parsePattern(text: string): NamePattern {
  const isFolder = text.endsWith('/')
  const name = isFolder ? text.slice(0, -1) : text
  if (name === '') throw new PatternError('no name', 0)
  const slash = name.indexOf('/')
  if (slash !== -1) throw new PatternError('a name has no / but at the end of a folder', slash)
  const called: Record<string, string> = {}
  let source = ''
  for (let at = 0; at < name.length;) {
    if (name[at] === '{') {
      const end = name.indexOf('}', at)
      if (end === -1) throw new PatternError('a { without its }', at)
      source += groupOf(name.slice(at + 1, end), at, called)
      at = end + 1
    } else {
      source += name[at] === '*' ? '.*' : escaped(name[at] ?? '')
      at += 1
    }
  }
  return { source, called, isFolder }
}

function groupOf(inside: string, at: number, called: Record<string, string>): string {
  const [key = '', kind = 'text', ...rest] = inside.split(':')
  const source = kinds[kind]
  if (key === '') throw new PatternError('a placeholder without a name', at)
  if (source === undefined || rest.length > 0) {
    throw new PatternError(
      `${JSON.stringify(kind)} is no kind of value`,
      at,
      `known are: ${Object.keys(kinds).join(', ')}`,
    )
  }
  if (Object.values(called).includes(key)) throw new PatternError(`{${key}} stands there twice`, at)
  const group = `g${Object.keys(called).length}`
  called[group] = key
  return `(?<${group}>${source})`
}

/** A pattern without placeholders: `*.opt`. */
export function globSource(text: string): string {
  return text.split('*').map(escaped).join('.*')
}

export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
