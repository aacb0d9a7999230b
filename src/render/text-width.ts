/** Columns that text takes on a terminal. */
import stringWidth from 'string-width'

/** ASCII, and the signs that ckpt itself writes: `layers.{0…31}`, `32 ×`. To judge any other takes a long expression. */
const plain = /^[\u0000-\u007f×…–—·]*$/

export function displayWidth(text: string): number {
  return plain.test(text) ? text.length : stringWidth(text)
}
