/** The words of a metric's key, lower case, in order: `valid/loss`, `si-snr`, `ErrorRate`, `mAP50`, `eval_f1`. */

export interface Word {
  readonly text: string
  /** Written in capitals only: `PER` is a rate, `per` may be a preposition. */
  readonly capitals: boolean
}

/** Keys of Unicode's letters are rare, and what is compiled for those takes a millisecond of each start. */
const ascii = {
  separator: /[^A-Za-z0-9]+/,
  parts: /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Za-z]+/g,
  digitsAtEnd: /[0-9]+$/,
}

function patternsFor(text: string): typeof ascii {
  if (!/[^\0-\x7f]/.test(text)) return ascii
  return {
    separator: /[^\p{L}\p{N}]+/u,
    parts: /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{L}+/gu,
    digitsAtEnd: /\p{N}+$/u,
  }
}

/** What stands between everything that is not a letter and no digit. */
export function piecesOf(key: string): string[] {
  return key.split(patternsFor(key).separator)
}

/**
 * Splits a key at everything that is not a letter and no digit. Each piece stands for itself (`f1`, `mAP`), without
 * the digits at its end (`mAP50`: map), and for the parts between its camel-case borders (`evalLoss`: eval, loss).
 */
export function wordsOf(key: string): Word[][] {
  return piecesOf(key).filter(Boolean).map(readingsOf)
}

function readingsOf(piece: string): Word[] {
  const patterns = patternsFor(piece)
  const parts = piece.match(patterns.parts) ?? []
  const readings = new Set([piece, piece.replace(patterns.digitsAtEnd, ''), ...parts])
  readings.delete('')
  return [...readings].map((text) => ({ text: text.toLowerCase(), capitals: text === text.toUpperCase() }))
}
