/**
 * The metas that nearly every run is full of: a line each for a number, `true` or `false`, as `yaml.dump` writes them.
 * Read by one pattern a line. Whatever else there is takes the ways of formats/pyyaml, which give the same for these.
 */
import type { Meta, MetaValue } from '../../checkpoint.js'

/** Bytes: one of more has other things in it. */
const longest = 65_536

/** After comments: a key, and a float as Python's repr spells it, an integer without a zero before it, or a boolean. */
const line =
  /(?:#[ -~]*\n)*([A-Za-z][A-Za-z0-9_./@+%-]{0,120}): (?:(-?[0-9]+\.[0-9]+|0|-?[1-9][0-9]{0,14})|(true)|false)(?:\n|$)/y

/** YAML 1.1 takes these for something else than text, in some spellings. */
const noText = new Set(['yes', 'no', 'true', 'false', 'on', 'off', 'null'])

/** Keys seen: the same text for the same key of thousands. Null for one that is not text. */
const keys = new Map<string, string | null>()
const mostKeys = 4096

/** The meta; undefined for a text that is not such a one. A byte of it is a character. */
export function readFlat(text: string): Meta | undefined {
  if (text.length === 0 || text.length > longest) return undefined
  const meta = new Map<string, MetaValue>()
  line.lastIndex = 0
  while (line.lastIndex < text.length) {
    const match = line.exec(text)
    if (match === null) return undefined
    const key = keyOf(match[1] ?? '')
    if (key === null) return undefined
    meta.set(key, match[2] === undefined ? match[3] !== undefined : Number(match[2]))
  }
  return meta
}

function keyOf(text: string): string | null {
  const known = keys.get(text)
  if (known !== undefined) return known
  const key = noText.has(text.toLowerCase()) ? null : text
  if (keys.size < mostKeys) keys.set(text, key)
  return key
}
