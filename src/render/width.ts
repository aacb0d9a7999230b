/** Columns that text takes on a terminal. */
import stringWidth from 'string-width'

const ascii = /^[\u0000-\u007f]*$/

export function displayWidth(text: string): number {
  return ascii.test(text) ? text.length : stringWidth(text)
}
