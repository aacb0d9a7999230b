/** The words of a command line that are flags of another command, to be handed on to it as they were typed. */
import type { Interfaces } from '@oclif/core'

/** `argv` has been parsed before, so every flag that takes a value has one. */
export function passedOn(argv: readonly string[], flags: Interfaces.FlagInput): string[] {
  const words: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ''
    const [name = ''] = word.split('=')
    const flag = Object.entries(flags).find(([long, { char }]) => name === `--${long}` || name === `-${char ?? ''}`)
    if (flag === undefined || word === '-') continue
    const takesNext = flag[1].type === 'option' && !word.includes('=')
    words.push(word, ...(takesNext ? argv.slice(index + 1, index + 2) : []))
    if (takesNext) index++
  }
  return words
}
