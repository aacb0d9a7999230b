/** Names as people write them in ckpt.yaml: `ckpt_{step:int}_{loss:float}.pt`, `*` for any part of a name. */
import { LinearPattern } from './linear-pattern.js'

/** What a name's pattern says. */
export interface NamePattern {
  /** Of the whole name, without anchors; each placeholder is a group. */
  readonly source: string
  /** By the group's name, what the fact is called. */
  readonly called: Readonly<Record<string, string>>
  readonly isFolder: boolean
  /** How many of its parts can share the same characters out among them in many ways. */
  readonly loose: number
}

/** Loose parts of one pattern, at most: which of more has which part of a name, nobody foresees. */
export const mostLoose = 3

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
  float: '[-+]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][-+]?\\d+)?|[-+]?(?:nan|inf)',
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
  let loose = 0
  // A number ends where what follows it can be none of it.
  let isApart = true
  for (let at = 0; at < name.length;) {
    if (name[at] === '{') {
      const end = name.indexOf('}', at)
      if (end === -1) throw new PatternError('a { without its }', at)
      const inside = name.slice(at + 1, end)
      source += groupOf(inside, at, called)
      if (!isApart || !/:(?:int|float)$/.test(inside)) loose += 1
      isApart = false
      at = end + 1
    } else if (name[at] === '*') {
      source += '.*'
      loose += 1
      isApart = false
      while (name[at] === '*') at += 1
    } else {
      source += escaped(name[at] ?? '')
      if (!/[-+.\deE]/.test(name[at] ?? '')) isApart = true
      at += 1
    }
  }
  if (loose > mostLoose) throw new PatternError(tooLoose(loose), 0, 'text between two numbers keeps them apart')
  return { source, called, isFolder, loose }
}

/** For people. */
export function tooLoose(count: number): string {
  return `${count} parts of it stand for any text, and at most ${mostLoose} can be distinguished`
}

function groupOf(inside: string, at: number, called: Record<string, string>): string {
  const [key = '', kind = 'text', ...rest] = inside.split(':')
  const source = kinds[kind]
  if (key === '') throw new PatternError('a placeholder without a name', at)
  if (source === undefined || rest.length > 0) {
    throw new PatternError(
      `${JSON.stringify(kind)} is not a kind of value`,
      at,
      `known are: ${Object.keys(kinds).join(', ')}`,
    )
  }
  if (Object.values(called).includes(key)) throw new PatternError(`{${key}} stands there twice`, at)
  const group = `g${Object.keys(called).length}`
  called[group] = key
  return `(?<${group}>${source})`
}

/** Of a whole name. One that has several loose parts tries a name that almost fits in millions of ways, unless it is linear. */
export function wholeName(source: string, loose: number): RegExp {
  return loose > 1 ? new LinearPattern(`^${source}$`) : new RegExp(`^${source}$`)
}

/** How many parts of such a pattern stand for any text. */
export function looseIn(text: string): number {
  return text.split(/\*+/).length - 1
}

/** A pattern without placeholders: `*.opt`. */
export function globSource(text: string): string {
  return text.split(/\*+/).map(escaped).join('.*')
}

export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
