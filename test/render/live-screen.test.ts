import { describe, expect, it } from 'vitest'
import { painter } from '../../src/render/colours.js'
import { cutTo, LiveScreen } from '../../src/render/live-screen.js'
import { shown } from '../../src/render/escape-output.js'
import { sparkline } from '../../src/render/sparkline.js'

function screen(columns: number, rows: number, hasUnicode = true) {
  const written: string[] = []
  const write = (text: string) => {
    written.push(text)
  }
  return { live: new LiveScreen({ isTTY: true, isOpen: true, columns, rows, write }, hasUnicode), written }
}

describe('the live screen', () => {
  it('is entered once, drawn in one go, and left once, with the cursor and wrapping as they were', () => {
    const { live, written } = screen(20, 5)
    live.draw(['one'])
    live.draw(['two'])
    live.leave()
    live.leave()
    expect(written).toEqual([
      '\u001b[?1049h\u001b[?25l\u001b[?2026h\u001b[?7l\u001b[H\u001b[Kone\r\n\u001b[J\u001b[?7h\u001b[?2026l',
      '\u001b[?2026h\u001b[?7l\u001b[H\u001b[Ktwo\r\n\u001b[J\u001b[?7h\u001b[?2026l',
      '\u001b[H\u001b[J\u001b[?25h\u001b[?1049l',
    ])
  })

  it('clears nothing behind a line as wide as the terminal: its last letter would go', () => {
    const { live, written } = screen(6, 2)
    live.draw(['abcdef', 'ghijkl'])
    expect(written[0]).toContain('\u001b[Kabcdef\r\n\u001b[Kghijkl\u001b[?7h')
  })

  it('has no more rows than the terminal, and lets nothing through that a terminal obeys', () => {
    const { live, written } = screen(20, 2)
    live.draw(['a\u001b[2Jb', 'c', 'd'])
    expect(written[0]).toContain('a\\e[2Jb')
    expect(written[0]).not.toContain('d')
    expect(written[0]?.split('\r\n')).toHaveLength(2)
  })

  it('has no sign of ours beyond ASCII where the locale has no more', () => {
    const { live, written } = screen(6, 2, false)
    live.draw(['abcdefgh', 'a…b'])
    expect(written[0]).toContain('abcde~')
    expect(written[0]).toContain('a~b')
  })

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…\u001b[0m'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…\u001b[0m'],
    ['日本語', 4, '日…\u001b[0m'],
  ])('cuts %s to %i columns', (text, columns, expected) => {
    expect(cutTo(text, columns)).toBe(expected)
  })

  it('counts no style as a column, and ends it where it cuts', () => {
    const text = shown(painter(true)('good', 'abcdef'))
    expect(cutTo(text, 6)).toBe(text)
    expect(cutTo(text, 4)).toBe('\u001b[32mabc…\u001b[0m')
  })
})

describe('a sparkline', () => {
  it.each([
    [[1, 2, 3], 8, true, '▁▅█'],
    [[1, NaN, 3], 8, true, '▁ █'],
    [[1, NaN, 3], 8, false, '_ #'],
    [[5, 5], 8, true, '▅▅'],
    [[], 8, true, ''],
    [[Infinity, 1, 2], 8, true, ' ▁█'],
    [[-1.7e308, 1.7e308], 8, true, '▁█'],
    [[1, 1, 9, 9], 2, true, '▁█'],
  ])('of %j in %i columns', (values, width, unicode, expected) => {
    expect(sparkline(values, width, unicode)).toBe(expected)
  })
})
