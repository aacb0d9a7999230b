import { describe, expect, it } from 'vitest'
import { changedColumns, parseColumns } from '../../../src/cli/flags/columns.js'

const usual = ['name', 'age', 'epoch', 'WER', 'loss', 'size', 'marks']
const isKey = (name: string) => !['name', 'age', 'epoch', 'size', 'marks', 'path'].includes(name)
const shown = (text: string | null, columns = usual) =>
  changedColumns(columns, text === null ? null : parseColumns(text), isKey).join(' ')

describe('--columns', () => {
  it.each([
    [null, 'name age epoch WER loss size marks'],
    ['name,WER', 'name WER'],
    ['+lr', 'name age epoch WER loss lr size marks'],
    ['-loss', 'name age epoch WER size marks'],
    ['+lr,-loss', 'name age epoch WER lr size marks'],
    [' +lr , -loss ', 'name age epoch WER lr size marks'],
    ['+WER', 'name age epoch WER loss size marks'],
    ['-name,-marks', 'age epoch WER loss size'],
    ['-nothing', 'name age epoch WER loss size marks'],
    ['a-b', 'a-b'],
  ])('%j', (text, expected) => {
    expect(shown(text)).toBe(expected)
  })

  it('adds before the size where there is no key', () => {
    expect(shown('+lr', ['name', 'size'])).toBe('name lr size')
  })

  it.each(['+lr,loss', 'name,-loss'])('refuses a mixture: %s', (text) => {
    expect(() => parseColumns(text)).toThrow(/has neither/)
  })
})
