/** The words of a metric's key, lower case, in order: `valid/loss`, `si-snr`, `ErrorRate`, `mAP50`, `eval_f1`. */

export interface Word {
  readonly text: string
  /** Written in capitals only: `PER` is a rate, `per` may be a preposition. */
  readonly capitals: boolean
}

/**
 * Splits a key at everything that is not a letter and no digit. Each piece stands for itself (`f1`, `mAP`), without
 * the digits at its end (`mAP50`: map), and for the parts between its camel-case borders (`evalLoss`: eval, loss).
 */
export function wordsOf(key: string): Word[][] {
  return key
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .map(readingsOf)
}

function readingsOf(piece: string): Word[] {
  const parts = piece.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{L}+/gu) ?? []
  const readings = new Set([piece, piece.replace(/\p{N}+$/u, ''), ...parts])
  readings.delete('')
  return [...readings].map((text) => ({ text: text.toLowerCase(), capitals: text === text.toUpperCase() }))
}
