/** Messages as a terminal shows them. */
import { expect, it } from 'vitest'
import { renderWarning } from '../../src/render/messages.js'

const text = 'no checkpoint of these runs has WER; did you mean wer?'

it('folds a warning under itself on a terminal, and nowhere else', () => {
  expect(renderWarning(text, false, Number.POSITIVE_INFINITY)).toBe(`warning: ${text}`)
  expect(renderWarning(text, false, 44).split('\n')).toEqual([
    'warning: no checkpoint of these runs has',
    '         WER; did you mean wer?',
  ])
})

it('keeps the lines that a warning has', () => {
  expect(renderWarning('one\ntwo', false, 80)).toBe('warning: one\ntwo')
})
