import { describe, expect, it } from 'vitest'
import { aligned } from '../../src/render/aligned.js'
import { displayWidth } from '../../src/render/text-width.js'

const rows = [
  ['a', 'F32', '[2]'],
  ['a.name.that.is.long', 'BF16', '[2, 3]'],
  ['b.c', 'F32', '[]'],
]

describe('columns', () => {
  it('are as wide as their widest cells in a pipe', () => {
    expect(aligned(rows)).toEqual([
      'a                    F32   [2]',
      'a.name.that.is.long  BF16  [2, 3]',
      'b.c                  F32   []',
    ])
  })

  it('stand below a name that does not fit beside them, and the other names are as they were', () => {
    expect(aligned(rows, { width: 24 })).toEqual([
      'a     F32   [2]',
      'a.name.that.is.long',
      '      BF16  [2, 3]',
      'b.c   F32   []',
    ])
  })

  it('may have the long one elsewhere', () => {
    const told = [['best', 'epoch=1-step=8.ckpt', '0.8 (min)'], ['latest', 'last.ckpt', '5m ago']] // prettier-ignore
    expect(aligned(told, { width: 30, long: 1 })).toEqual([
      'best    epoch=1-step=8.ckpt',
      '                   0.8 (min)',
      'latest  last.ckpt  5m ago',
    ])
  })

  it('shorten a name in its middle that is longer than a line, never beyond it', () => {
    const [line = ''] = aligned([[`begin${'x'.repeat(50)}end`, 'F32']], { width: 20 })
    expect(line).toBe('beginxxxx…xxxxxxend')
    for (const name of ['語'.repeat(40), '😀'.repeat(40), `${'a'.repeat(20)}${'語'.repeat(20)}`]) {
      const [first = ''] = aligned([[name, 'F32']], { width: 20 })
      expect(first).toMatch(/…/)
      expect(displayWidth(first)).toBeLessThanOrEqual(20)
    }
  })
})
