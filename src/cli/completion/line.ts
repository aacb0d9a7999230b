/** A command line that is being typed: what the cursor's word can be. */
import type { CommandSpec, CompletionSpec, FlagSpec } from './spec.js'

export interface TypedLine {
  /** All words after `ckpt`, the cursor's among them. */
  readonly words: readonly string[]
  /** Which of them the cursor is in. */
  readonly index: number
  /** The cursor's word up to the cursor. */
  readonly current: string
}

/** What may stand at the cursor. */
export type Wanted =
  | { readonly kind: 'command'; readonly after: string }
  | { readonly kind: 'flag'; readonly command: CommandSpec; readonly used: ReadonlySet<string> }
  | {
      readonly kind: 'value'
      readonly flag: string
      readonly spec: FlagSpec
      /** `--min=` where the value is in the same word as its flag. */
      readonly lead: string
      readonly command: string
      readonly positionals: readonly string[]
    }
  | {
      readonly kind: 'argument'
      readonly command: string
      readonly name: string
      readonly positionals: readonly string[]
    }
  /** After `--`: somebody else's command line; true for its first word. */
  | { readonly kind: 'foreign'; readonly isFirst: boolean }

export function wantedAt({ words, index, current }: TypedLine, spec: CompletionSpec): Wanted {
  const before = words.slice(0, index)
  if (index > 0 && words[0] === 'help') return wantedAt(withoutHelp({ words, index, current }), spec)
  const { name, length } = commandOf(words, index, spec)
  const command = name === null ? undefined : spec[name]
  if (name === null || command === undefined) return { kind: 'command', after: before.join(' ') }
  const end = before.indexOf('--')
  if (end !== -1) return { kind: 'foreign', isFirst: index === end + 1 }
  const positionals = positionalsOf(words, index, length, command)
  const value = valueAt(before, current, command)
  if (value !== null) return { kind: 'value', ...value, command: name, positionals }
  if (current.startsWith('-')) return { kind: 'flag', command, used: usedFlags(words, index, command) }
  const position = positionalsOf(before, before.length, length, command).length
  const arg = command.args[position] ?? command.args.findLast(({ multiple }) => multiple)
  return { kind: 'argument', command: name, name: arg?.name ?? '', positionals }
}

/** `ckpt help trash list` is completed as `ckpt trash list`. */
function withoutHelp({ words, index, current }: TypedLine): TypedLine {
  return { words: words.slice(1), index: index - 1, current }
}

/** The command that the words before the cursor name, and how many words its name has. */
function commandOf(
  words: readonly string[],
  index: number,
  spec: CompletionSpec,
): { readonly name: string | null; readonly length: number } {
  const [first = '', second = ''] = words
  const name = first === 'ls' ? 'list' : first
  if (index >= 2 && Object.hasOwn(spec, `${name} ${second}`)) return { name: `${name} ${second}`, length: 2 }
  if (index === 1 && isTopic(name, spec)) return { name: null, length: 1 }
  return index >= 1 && Object.hasOwn(spec, name) ? { name, length: 1 } : { name: null, length: 0 }
}

/** A word that other commands begin with, and that is none itself. */
function isTopic(name: string, spec: CompletionSpec): boolean {
  return !Object.hasOwn(spec, name) && Object.keys(spec).some((other) => other.startsWith(`${name} `))
}

function flagOf(word: string, { flags }: CommandSpec): { readonly name: string; readonly spec: FlagSpec } | null {
  const long = word.startsWith('--') ? word.slice(2).replace(/=.*/s, '') : null
  for (const [name, spec] of Object.entries(flags)) {
    if (long === name || (long === null && spec.char !== undefined && word === `-${spec.char}`)) return { name, spec }
  }
  return null
}

/** What the cursor's word is the value of; null where it is none. */
function valueAt(before: readonly string[], current: string, command: CommandSpec) {
  const [, lead] = /^(--[^=]+=)/.exec(current) ?? []
  if (lead !== undefined) {
    const flag = flagOf(lead, command)
    return flag?.spec.takesValue === true ? { flag: flag.name, spec: flag.spec, lead } : null
  }
  const previous = before.at(-1) ?? ''
  const flag = previous.startsWith('-') && !previous.includes('=') ? flagOf(previous, command) : null
  return flag?.spec.takesValue === true ? { flag: flag.name, spec: flag.spec, lead: '' } : null
}

/** The words that belong to no flag, but for the cursor's own. */
function positionalsOf(words: readonly string[], index: number, from: number, command: CommandSpec): string[] {
  const positionals: string[] = []
  for (let at = from; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (word === '--') break
    if (word.startsWith('-') && word !== '-') {
      if (!word.includes('=') && flagOf(word, command)?.spec.takesValue === true) at += 1
    } else if (at !== index) positionals.push(word)
  }
  return positionals
}

function usedFlags(words: readonly string[], index: number, command: CommandSpec): ReadonlySet<string> {
  const used = new Set<string>()
  words.forEach((word, at) => {
    const flag = at === index || !word.startsWith('-') ? null : flagOf(word, command)
    if (flag !== null && flag.spec.repeatable !== true) used.add(flag.name)
  })
  return used
}
