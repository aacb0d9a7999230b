import { describe, expect, it } from 'vitest'
import { splitArguments } from '../../../src/core/formats/shell-words.js'

describe('a text as arguments', () => {
  it.each([
    ['--resume {path}', ['--resume', '{path}']],
    ['--note \'a b\' "c d"e', ['--note', 'a b', 'c de']],
    ['a\\ b "\\"\\$\\n"', ['a b', '"$\\n']],
    ["''", ['']],
    [' \t\n', []],
    ['--array=0-3 $HOME *.pt', ['--array=0-3', '$HOME', '*.pt']],
  ])('%j', (text, words) => {
    expect(splitArguments(text, '--resume-args')).toEqual(words)
  })

  it.each(["it's", 'say "so', 'end\\'])('with a mistake names the flag: %s', (text) => {
    expect(() => splitArguments(text, '--sbatch')).toThrow(/^--sbatch: /)
  })
})
