/** Errors and warnings as people see them on stderr. */
import { painter } from './colours.js'
import { hang } from './hanging-indent.js'
import { printableLines } from './printable.js'

export interface ShownError {
  readonly message: string
  readonly hint?: string | undefined
  readonly stack?: string | undefined
}

export function renderError(error: ShownError, colours: boolean): string {
  const paint = painter(colours)
  const lines = [`${paint('bad', 'error:')} ${printableLines(error.message)}`]
  if (error.hint !== undefined) lines.push(`${paint('faint', 'hint:')} ${printableLines(error.hint)}`)
  if (error.stack !== undefined) lines.push(printableLines(error.stack))
  return lines.join('\n')
}

/** `width` is the columns of the terminal, infinite elsewhere. */
export function renderWarning(text: string, colours: boolean, width: number): string {
  const [first = '', ...rest] = printableLines(text).split('\n')
  const mark = 'warning:'
  const head = { text: `${painter(colours)('warning', mark)} `, width: mark.length + 1 }
  return [...hang(head, first, width), ...rest].join('\n')
}

/** Of a flag that chooses by name. */
export function renderIdle({ flag, value }: { readonly flag: string; readonly value: string }): string {
  return `${flag} ${value}: no name matches it`
}
