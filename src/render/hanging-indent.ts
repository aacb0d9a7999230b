/** Text beside a head, folded under itself where a terminal is too narrow for it. */
import { printable } from './printable.js'
import { displayWidth } from './text-width.js'

/** Columns that the text gets at least; where the head leaves less, it begins on a line of its own. */
const leastRoom = 24
const indent = '      '

export interface Head {
  readonly text: string
  /** Columns that it takes: colours take none. */
  readonly width: number
}

/** One line where `width` (columns) is infinite, as in a pipe. A word is never cut. */
export function hang(head: Head, text: string, width: number): string[] {
  if (head.width + displayWidth(text) <= width) return [head.text + text]
  const isBeside = width - head.width >= leastRoom
  const blank = isBeside ? ' '.repeat(head.width) : indent
  const [first = '', ...rest] = fold(text, width - blank.length).map((line) => blank + line)
  return isBeside ? [head.text + first.slice(blank.length), ...rest] : [head.text.trimEnd(), first, ...rest]
}

/** Behind a name, which may hold anything, and before that a mark of one column. */
export function hangBehindName(mark: string, name: string, text: string, width: number): string[] {
  const head = ` ${printable(name)}  `
  return hang({ text: mark + head, width: 1 + displayWidth(head) }, text, width)
}

/** `exp/save: 3 checkpoints stay`: the text of a heading, under the path where that leaves no room beside it. */
export function hangBehindPath(path: string, text: string, width: number): string[] {
  const head = `${printable(path)}: `
  return hang({ text: head, width: displayWidth(head) }, text, width)
}

/** Keys in a column, their texts beside them, each folded under itself. */
export function hangRows(rows: readonly (readonly [key: string, text: string])[], width: number): string[] {
  const widest = rows.reduce((most, [key]) => Math.max(most, displayWidth(key)), 0)
  return rows.flatMap(([key, text]) => {
    const head = `${key}${' '.repeat(widest - displayWidth(key))}  `
    return hang({ text: head, width: widest + 2 }, text, width).map((line) => line.trimEnd())
  })
}

/** Words on as few lines as there is room for; one that is too long for any has its own. */
export function fold(text: string, width: number, widthOf = displayWidth): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width) lines.splice(-1, 1, `${last} ${word}`)
    else lines.push(word)
  }
  return lines
}
