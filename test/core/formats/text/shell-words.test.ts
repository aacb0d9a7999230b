import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { printable } from '../../../../src/render/printable.js'
import { quoteWord, splitArguments } from '../../../../src/core/formats/text/shell-words.js'

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

it.each([
  ...['/exp/a', "it's two words", '-x', '=ls', 'epoch=3-step=4.ckpt', '$HOME', 'a\nb\t\u001b[31m', "'\\n"],
  ...['\u202etxt', 'a\u2028b', ''],
])('a word in a hint is for a shell just that word, however it is shown: %j', (word) => {
  expect(
    execFileSync('bash', ['-c', `printf %s ${printable(quoteWord(word))}`], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    }),
  ).toBe(word)
})
