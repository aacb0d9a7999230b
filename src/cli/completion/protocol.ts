/**
 * What the shells' scripts say and hear: `ckpt __complete SHELL INDEX CURRENT WORD…` gives a line for the shell's own
 * completion (`none`, `files`, `folders`, `commands`, with ` open` behind it where no space is to follow), then a line
 * for each candidate, a tab before its description.
 */
import { homedir } from 'node:os'
import { userStorage } from '../../machine/user-storage.js'
import { printable } from '../../render/printable.js'
import { complete, type Completion } from './answer.js'
import { isTimeOver } from './time-limit.js'
import type { TypedLine } from './line.js'
import type { CompletionSpec } from './spec.js'

/** Prints the answer. Whatever is wrong, a press of Tab shows no error. */
export async function answerShell(argv: readonly string[], spec: CompletionSpec): Promise<void> {
  const line = readLine(argv)
  if (line === null) return
  // Both count from the start of this process.
  const began = performance.now()
  const isOver = (searched: number) => isTimeOver(performance.now(), began, searched)
  const here = { storage: userStorage(() => undefined), folder: process.cwd(), home: homedir(), isOver }
  process.stdout.write(textOf(await complete(line, spec, here)))
}

function readLine([shell = '', index = '', current = '', ...words]: readonly string[]): TypedLine | null {
  if (!/^\d+$/.test(index)) return null
  // bash gives words as they are typed; the other shells have read them.
  const read = shell === 'bash' ? unquoted : (word: string) => word
  return { words: words.map(read), index: Number(index), current: read(current) }
}

/** A word as bash would read it, its quotes perhaps not closed yet. */
function unquoted(word: string): string {
  let text = ''
  let quote = ''
  for (let at = 0; at < word.length; at += 1) {
    const character = word.charAt(at)
    if (character === '\\' && quote !== "'") {
      at += 1
      text += word.charAt(at)
    } else if (character === quote) quote = ''
    else if (quote === '' && (character === "'" || character === '"')) quote = character
    else text += character
  }
  return text
}

function textOf({ shell, open, candidates }: Completion): string {
  const lines = candidates
    // The shell writes candidates to the terminal as they are, and what a terminal obeys or does not show cannot be typed.
    .filter(({ value }) => printable(value) === value)
    .map(({ value, description = '' }) => (description === '' ? value : `${value}\t${description}`))
  return [`${shell}${open ? ' open' : ''}`, ...lines, ''].join('\n')
}
