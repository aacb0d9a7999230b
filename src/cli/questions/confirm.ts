/** The question before something is destroyed. */
import { createInterface } from 'node:readline/promises'
import { CkptError } from '../../core/errors.js'
import { shown } from '../../render/escape-output.js'
import { displayWidth } from '../../render/text-width.js'

/** Of a terminal that does not say how wide it is. */
const usualColumns = 80

export type Answer = 'yes' | 'no' | 'show' | 'edit'

/** Anything but yes is no. Throws as `ask`. */
export async function confirm(question: string, flag: string): Promise<boolean> {
  return (await ask(question, flag, [])) === 'yes'
}

/**
 * Asks on stderr and reads the answer from the terminal: yes, what is offered beside it, or no, which is anything else.
 * Where no person can answer, it refuses (exit 5). Ctrl-C and Ctrl-D throw `interrupted`.
 */
export async function ask(question: string, flag: string, offered: readonly ('show' | 'edit')[]): Promise<Answer> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CkptError('refused', 'nothing was done: there is no terminal to ask on', {
      hint: `look at the plan, then add ${flag}`,
    })
  }
  const dialogue = createInterface({ input: process.stdin, output: process.stderr })
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => {
      process.stderr.write('\n')
      reject(new CkptError('interrupted', 'interrupted; nothing was done'))
    }
    dialogue.once('SIGINT', stop)
    dialogue.once('close', stop)
  })
  try {
    const prompt = promptFor(shown(question), offered, process.stderr.columns || usualColumns)
    const answer = await Promise.race([dialogue.question(prompt), aborted])
    return meantBy(answer.trim().toLowerCase(), offered)
  } finally {
    aborted.catch(() => undefined)
    dialogue.close()
  }
}

/** What may be answered stands on a line of its own where it would be broken in two. */
export function promptFor(question: string, offered: readonly string[], columns: number): string {
  const answers = offered.length === 0 ? '[y/N] ' : `[y/N] (or ${offered.join(', ')}) `
  const lastLine = question.slice(question.lastIndexOf('\n') + 1)
  const begun = displayWidth(lastLine) % columns
  return `${question}${begun + 1 + answers.length > columns ? '\n' : ' '}${answers}`
}

function meantBy(typed: string, offered: readonly ('show' | 'edit')[]): Answer {
  if (typed === 'y' || typed === 'yes') return 'yes'
  return offered.find((one) => typed === one || typed === one[0]) ?? 'no'
}
