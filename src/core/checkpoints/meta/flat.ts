/**
 * A fast reader for the metas of most runs: one number, `true` or `false` a line, as `yaml.dump` writes them. Any other
 * text is read by formats/pyyaml, which gives the same for these texts and takes longer.
 */
import type { Meta, MetaValue } from '../../checkpoint.js'

/** Bytes. A longer text has more in it than such lines. */
const longest = 65_536

/** After comments: a key, and a float as Python's repr spells it, an integer without a zero before it, or a boolean. */
const line =
  /(?:#[ -~]*\n)*([A-Za-z][A-Za-z0-9_./@+%-]{0,120}): (?:(-?[0-9]+\.[0-9]+|0|-?[1-9][0-9]{0,14})|(true)|false)(?:\n|$)/y

/** In YAML 1.1 these words, in some spellings, are booleans or null and no text. */
const noText = new Set(['yes', 'no', 'true', 'false', 'on', 'off', 'null'])

/** Keys that were seen, so that thousands of metas share one string for each; null for a key that is no text. */
const keys = new Map<string, string | null>()
const mostKeys = 4096

/** The meta; undefined for a text that has any other line. Each character of `text` is one byte of the file. */
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
