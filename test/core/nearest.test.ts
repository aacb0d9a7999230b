import { describe, expect, it } from 'vitest'
import { nearestName } from '../../src/core/choosing/expression/index.js'

const keys = ['WER', 'ACC', 'valid/loss', 'end-of-epoch', 'epoch', 'num-examples']

describe('the nearest name', () => {
  it.each([
    ['wer', 'WER'],
    ['WRE', 'WER'],
    ['valid_loss', 'valid/loss'],
    ['valid-los', 'valid/loss'],
    ['loss', 'valid/loss'],
    ['epcoh', 'epoch'],
    ['accuracy', 'ACC'],
    ['num_example', 'num-examples'],
    ['zebra', undefined],
    ['x', undefined],
    ['', undefined],
  ])('to %s is %s', (wanted, nearest) => {
    expect(nearestName(wanted, keys)).toBe(nearest)
  })

  it('begins alike, of several that are as near', () => {
    const names = ['CKPT+12-14-08', 'CKPT+15-14-09', 'CKPT+13-44-08']
    expect(nearestName('CKPT+15-14-08', names)).toBe('CKPT+15-14-09')
  })

  it('is not sought for what nobody types', () => {
    expect(nearestName('a'.repeat(10_000), ['a'.repeat(9_999)])).toBe(undefined)
  })
})
