/** The question before something is destroyed. */
import { createInterface } from 'node:readline/promises'
import { CkptError } from '../core/errors.js'
import { shown } from '../render/shown.js'

/**
 * Asks on stderr and reads the answer from the terminal; anything but yes is no. Where no person can answer, it
 * refuses (exit 5). Ctrl-C and Ctrl-D throw `interrupted`.
 */
export async function confirm(question: string, flag: string): Promise<boolean> {
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
    const answer = await Promise.race([dialogue.question(`${shown(question)} [y/N] `), aborted])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    aborted.catch(() => undefined)
    dialogue.close()
  }
}
