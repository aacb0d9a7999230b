/** Columns that text takes on a terminal. */
import stringWidth from 'string-width'

/** ASCII, and the signs that ckpt itself writes: `layers.{0…31}`, `32 ×`. To judge any other takes a long expression. */
const plain = /^[\u0000-\u007f×…–—·]*$/

export function displayWidth(text: string): number {
  return plain.test(text) ? text.length : stringWidth(text)
}

/** The beginning of the text that fits this many columns. */
export function cutText(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let cut = ''
  for (const character of text) {
    if (displayWidth(cut + character) + 1 > columns) break
    cut += character
  }
  return columns < 1 ? '' : `${cut.trimEnd()}…`
}
