/** A mistake in an expression, with its place marked under the text. */
import { CkptError } from '../../errors.js'

/** Columns of text shown on either side of a mistake. */
const around = 60

/** Reported by the tokenizer and the parser. `at` counts UTF-16 units from the start of the text. */
export function mistakeAt(text: string, at: number, what: string, hint?: string): CkptError {
  return new CkptError('bad-expression', `${what}\n${markPosition(text, at)}`, hint === undefined ? {} : { hint })
}

/** Two lines: the text (its neighbourhood when it is long) and a caret under the place. */
function markPosition(text: string, at: number): string {
  const before = toCells(text.slice(0, at))
  const after = toCells(text.slice(at))
  const left = before.length > around ? [{ shown: '…', width: 1 }, ...before.slice(1 - around)] : before
  const right = after.length > around ? [...after.slice(0, around - 1), { shown: '…', width: 1 }] : after
  const column = left.reduce((sum, cell) => sum + cell.width, 0)
  return `  ${[...left, ...right].map((cell) => cell.shown).join('')}\n  ${' '.repeat(column)}^`
}

/** One character as a terminal shows it. */
interface Cell {
  readonly shown: string
  /** Columns. */
  readonly width: number
}

function toCells(text: string): Cell[] {
  return Array.from(text, toCell)
}

function toCell(character: string): Cell {
  if (isUnshowable(character)) {
    const shown = escapeCharacter(character)
    return { shown, width: shown.length }
  }
  if (/\p{M}/u.test(character)) return { shown: character, width: 0 }
  return { shown: character, width: isWide(character) ? 2 : 1 }
}

/** Control and format characters, line separators and halves of pairs: none may reach a terminal as it is. */
function isUnshowable(character: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(character)
}

/** East Asian wide and full-width characters and pictographs take two columns. */
function isWide(character: string): boolean {
  return /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u.test(
    character,
  )
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const named: Record<number, string> = { 9: String.raw`\t`, 10: String.raw`\n`, 13: String.raw`\r` }
  const digits = code.toString(16)
  return named[code] ?? (code < 0x100 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`)
}

/** The text in quotes, with what a terminal must not see escaped, cut when it is long. */
export function quote(text: string): string {
  const cells = toCells(text)
  const shown = cells.slice(0, around).map((cell) => cell.shown)
  return `"${shown.join('')}${cells.length > around ? '…' : ''}"`
}
