/**
 * Escapes all output once more, as the last step, so that a name or note that nobody escaped before
 * still reaches no terminal raw: only line breaks, tabs and our own styles stay.
 */
import { splitStyles } from './colours.js'
import { printable, suspicious, unsafe } from './printable.js'

export function shown(text: string): string {
  if (!suspicious.test(text)) return text
  return splitStyles(text)
    .map((part, index) => (index % 2 === 0 ? part.replace(unsafeBeyondLines, printable) : `\u001b[${part}m`))
    .join('')
}

/** Our own signs, each in one column, for a terminal whose locale has ASCII alone. */
export function inAscii(text: string): string {
  return text.replaceAll('…', '~').replaceAll('×', 'x').replaceAll('≠', '!')
}

const unsafeBeyondLines = new RegExp(`(?![\\n\\t])${unsafe.source}`, unsafe.flags)
