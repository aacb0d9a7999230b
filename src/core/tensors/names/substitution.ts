/** `s/regex/replacement/flags`, as `sed -E` has it; the regular expression is RE2's, which cannot run away. */
import type { RE2JS } from 're2js'
import { CkptError } from '../../errors.js'

export type Substitution = (text: string) => string

const flag = '--rename'
const example = "it is written as in sed -E: 's/^encoder\\.(.*)/enc.\\1/'"

/** Throws CkptError `usage` with what is wrong. */
export async function parseSubstitution(text: string): Promise<Substitution> {
  const { pattern, replacement, flags } = split(text)
  const isGlobal = flags.includes('g')
  const { RE2JS } = await import('re2js')
  const regex = compile(RE2JS, text, pattern, /[iI]/.test(flags))
  const parts = parseReplacement(text, replacement, regex.groupCount())
  return (name) => substitute(regex, parts, isGlobal, name)
}

function split(text: string): { pattern: string; replacement: string; flags: string } {
  const delimiter = text[1]
  if (!text.startsWith('s') || delimiter === undefined || /[\\\n\w\s]/.test(delimiter)) {
    throw wrong(text, 'it does not begin with s/')
  }
  const pieces: string[] = []
  let piece = ''
  for (let at = 2; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (character === delimiter) {
      pieces.push(piece)
      piece = ''
    } else if (character === '[' && pieces.length === 0) {
      const set = bracketExpression(text, at)
      piece += set
      at += set.length - 1
    } else if (character === '\\' && at + 1 < text.length) {
      at += 1
      const escaped = text[at] ?? ''
      // In the replacement a delimiter needs no backslash once it is split; in the regex it means itself with one.
      piece += escaped === delimiter && pieces.length > 0 ? escaped : `\\${escaped}`
    } else {
      piece += character
    }
  }
  pieces.push(piece)
  const [pattern = '', replacement, flags, ...more] = pieces
  if (replacement === undefined || flags === undefined) throw wrong(text, `it has no third ${delimiter}`)
  if (more.length > 0) throw wrong(text, `it has more than three ${delimiter}`)
  if (pattern === '') throw wrong(text, 'its regular expression is empty')
  if (!/^(?!.*(.).*\1)[giI]*$/.test(flags)) throw wrong(text, `its flags are ${flags}; known are g and i`)
  return { pattern, replacement, flags }
}

/** `[…]` with what is in it, where a delimiter is not a delimiter; `[` alone where it is not closed. */
function bracketExpression(text: string, at: number): string {
  return /\[\^?\]?(?:\[:\w*:\]|\\.|[^\]\\])*\]/y.exec(text.slice(at))?.[0] ?? '['
}

function compile(re2: typeof RE2JS, text: string, pattern: string, ignoresCase: boolean): RE2JS {
  try {
    return re2.compile(pattern, ignoresCase ? re2.CASE_INSENSITIVE : 0)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrong(text, reason, 'the syntax is RE2, as in Go: groups are (…), no lookaround, no back-references')
  }
}

/** Texts, and numbers of groups; 0 is all that matched. */
type ReplacementPart = string | number

function parseReplacement(text: string, replacement: string, groups: number): ReplacementPart[] {
  const parts: ReplacementPart[] = []
  for (let at = 0; at < replacement.length; at += 1) {
    const character = replacement[at] ?? ''
    if (character === '&') parts.push(0)
    else if (character !== '\\') parts.push(character)
    else {
      at += 1
      const escaped = replacement[at] ?? '\\'
      const group = /^\d$/.test(escaped) ? Number(escaped) : undefined
      if (group !== undefined && group > groups) {
        throw wrong(text, `it names group ${group}, and its regular expression has ${groups}`)
      }
      // GNU's sed changes the case with \L and \U, and makes a line of \n.
      if (/^[a-z]$/i.test(escaped)) {
        throw wrong(text, `its replacement has \\${escaped}; known are \\0 to \\9, & for all that matched, and \\&`)
      }
      parts.push(group ?? escaped)
    }
  }
  return parts
}

function substitute(regex: RE2JS, parts: readonly ReplacementPart[], isGlobal: boolean, text: string): string {
  const matcher = regex.matcher(text)
  let result = ''
  let end = 0
  while (matcher.find()) {
    const put = parts.map((part) => (typeof part === 'number' ? (matcher.group(part) ?? '') : part))
    result += text.slice(end, matcher.start()) + put.join('')
    end = matcher.end()
    if (!isGlobal) break
  }
  return result + text.slice(end)
}

function wrong(text: string, reason: string, hint = example): CkptError {
  return new CkptError('usage', `${flag} ${text}: ${reason}`, { hint })
}
