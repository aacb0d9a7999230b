/** How long runs are sought for a press of Tab. */
import { expect, it } from 'vitest'
import { isTimeOver } from '../../../src/cli/completion/time-limit.js'

it('a search has what is left of 60 ms since the start of the program, and at least 25 ms', () => {
  expect(isTimeOver(59, 10, 200)).toBe(false)
  expect(isTimeOver(61, 10, 200)).toBe(true)
  expect(isTimeOver(99, 75, 200)).toBe(false)
  expect(isTimeOver(101, 75, 200)).toBe(true)
})

it('the first hundred folders are searched under load too, but no longer than half a second', () => {
  expect(isTimeOver(400, 50, 99)).toBe(false)
  expect(isTimeOver(400, 50, 130)).toBe(true)
  expect(isTimeOver(551, 50, 18)).toBe(true)
})
