import { describe, expect, it } from 'vitest'
import { promptFor } from '../../../src/cli/questions/confirm.js'

describe('a question', () => {
  const offered = ['show', 'edit']

  it('has what may be answered behind it', () => {
    expect(promptFor('Remove 3 checkpoints?', offered, 80)).toBe('Remove 3 checkpoints? [y/N] (or show, edit) ')
    expect(promptFor('Remove 3 checkpoints?', [], 80)).toBe('Remove 3 checkpoints? [y/N] ')
  })

  it.each([56, 57, 58, 70, 79, 80, 81])('of %i columns never has it broken in two by the edge', (length) => {
    const lines = promptFor('?'.repeat(length), offered, 80).split('\n')
    const [last = ''] = lines.slice(-1)
    expect(last).toContain('[y/N] (or show, edit) ')
    const begins = last.indexOf('[y/N]') % 80
    expect(begins + '[y/N] (or show, edit) '.length).toBeLessThanOrEqual(80)
  })
})
