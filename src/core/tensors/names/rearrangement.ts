/** Tensors of one file that are other tensors' parts, or others put together, or lie the other way round: as flags say it. */
import { CkptError } from '../../errors.js'

/** One name that becomes several, or several that become one; `*` stands for one text in all of them. */
export interface Regrouping {
  /** As it was typed. */
  readonly text: string
  readonly one: string
  readonly several: readonly string[]
}

export interface Rearrangement {
  /** True for names of matrices that are turned round, before they are taken apart or once they are put together. */
  readonly transposes: (name: string) => boolean
  readonly splits: readonly Regrouping[]
  readonly fuses: readonly Regrouping[]
  /**
   * Groups of rows that each have their part of all the tensors that are put together, one group behind the other: the
   * heads of GPT-NeoX and BLOOM, the heads of keys of Falcon. 1: the tensors lie one behind the other.
   */
  readonly heads: number
}

/** `OLD=A,B,C`. Throws CkptError `usage`. */
export function parseSplit(text: string): Regrouping {
  const [one = '', parts] = halves(text)
  return regrouping(
    '--split',
    text,
    one,
    parts,
    "as in '*.c_attn.weight=*.q_proj.weight,*.k_proj.weight,*.v_proj.weight'",
  )
}

/** `A,B,C=NEW`. Throws CkptError `usage`. */
export function parseFuse(text: string): Regrouping {
  const [parts, one = ''] = halves(text)
  return regrouping('--fuse', text, one, parts, "as in '*.q_proj.weight,*.k_proj.weight,*.v_proj.weight=*.qkv.weight'")
}

function halves(text: string): readonly [string | undefined, string | undefined] {
  const equals = text.indexOf('=')
  return equals < 0 ? [undefined, undefined] : [text.slice(0, equals), text.slice(equals + 1)]
}

function regrouping(flag: string, text: string, one: string, parts: string | undefined, hint: string): Regrouping {
  const several = (parts ?? '').split(',')
  const names = [one, ...several]
  const stars = new Set(names.map((name) => name.split('*').length - 1))
  if (several.length < 2 || names.includes('') || new Set(names).size < names.length) {
    throw new CkptError('usage', `${flag} ${text}: it takes one name and several others, all different`, { hint })
  }
  if (stars.size > 1 || [...stars].some((count) => count > 1)) {
    throw new CkptError('usage', `${flag} ${text}: each of the names has one *, or none has`, { hint })
  }
  return { text, one, several }
}

/** What `*` stands for in a name, empty where the pattern has none; undefined for a name that does not match. */
export function starOf(pattern: string, name: string): string | undefined {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === name ? '' : undefined
  const [before, behind] = [pattern.slice(0, star), pattern.slice(star + 1)]
  const fits = name.length > before.length + behind.length && name.startsWith(before) && name.endsWith(behind)
  return fits ? name.slice(before.length, name.length - behind.length) : undefined
}

export function withStar(pattern: string, star: string): string {
  const at = pattern.indexOf('*')
  return at < 0 ? pattern : pattern.slice(0, at) + star + pattern.slice(at + 1)
}
