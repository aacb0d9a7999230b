/** The terminal's alternate screen, redrawn in one write; leaving it brings the normal screen back unchanged. */
import type { TextStream } from '../machine/standard-streams.js'
import { inAscii, shown } from './escape-output.js'
import { displayWidth } from './text-width.js'

/** Xterm's control sequences: private modes 1049 (second screen), 25 (cursor), 7 (wrapping), 2026 (drawn in one go). */
const enter = '\u001b[?1049h\u001b[?25l'
/**
 * Empty before it is left: tmux, which goes back by way of the size that the first screen had, else takes rows that are
 * wider than that over into it.
 */
const leave = '\u001b[H\u001b[J\u001b[?25h\u001b[?1049l'
const begin = '\u001b[?2026h\u001b[?7l\u001b[H'
const end = '\u001b[?7h\u001b[?2026l'
const clearLine = '\u001b[K'
const clearBelow = '\u001b[J'

const smallest = { columns: 1, rows: 1 }

export class LiveScreen {
  private isOn = false

  constructor(
    private readonly stream: TextStream,
    private readonly hasUnicode: boolean,
  ) {}

  get columns(): number {
    return this.stream.columns || 80
  }

  get rows(): number {
    return this.stream.rows || 24
  }

  /** What does not fit is cut off; nothing scrolls. */
  draw(lines: readonly string[]): void {
    const [columns, rows] = [Math.max(this.columns, smallest.columns), Math.max(this.rows, smallest.rows)]
    const fitting = lines.slice(0, rows).map((line) => cutTo(shown(line), columns))
    // Cleared first: behind a text as wide as the terminal the cursor stands on its last letter.
    const drawn = fitting.map((line) => clearLine + (this.hasUnicode ? line : inAscii(line))).join('\r\n')
    const below = fitting.length < rows ? `\r\n${clearBelow}` : ''
    this.stream.write(`${this.isOn ? '' : enter}${begin}${drawn}${below}${end}`)
    this.isOn = true
  }

  /** May be called at any time, and again. */
  leave(): void {
    if (this.isOn) this.stream.write(leave)
    this.isOn = false
  }
}

const style = /(\u001b\[[\d;]*m)/

/** A line with styles in that many columns of a terminal. */
export function cutTo(line: string, columns: number): string {
  const parts = line.split(style)
  const width = parts.reduce((sum, part, index) => sum + (index % 2 === 0 ? displayWidth(part) : 0), 0)
  if (width <= columns) return line
  let [room, text] = [columns - 1, '']
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) text += part
    else {
      for (const character of part) {
        const taken = displayWidth(character)
        if (taken > room) return `${text}…\u001b[0m`
        room -= taken
        text += character
      }
    }
  }
  return text
}
