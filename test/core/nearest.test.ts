import { describe, expect, it } from 'vitest'
import { didYouMean, namesWithin, nearestName, nearestNames } from '../../src/core/choosing/expression/index.js'

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

  it('stands with all that are as near, three at most, and first the one that begins alike', () => {
    expect(nearestNames('loss', ['train/loss', 'epoch', 'valid/loss'])).toEqual(['train/loss', 'valid/loss'])
    expect(nearestNames('bleu5', ['bleu1', 'bleu2', 'bleu3', 'bleu4'])).toEqual(['bleu1', 'bleu2', 'bleu3'])
    expect(nearestNames('CER', ['WER', 'CEP', 'MER'])).toEqual(['CEP', 'WER', 'MER'])
    expect(namesWithin(1, 'tat', ['bat', 'tan', 'cat', 'hat'])).toEqual(['tan', 'bat', 'cat'])
  })

  it('is asked for in one question', () => {
    expect(didYouMean('CER', ['WER', 'CEP', 'MER'], (name) => `"${name}"`)).toBe('did you mean "CEP", "WER" or "MER"?')
    expect(didYouMean('CER', ['epoch'])).toBe(undefined)
  })

  it('is not sought for what nobody types', () => {
    expect(nearestName('a'.repeat(10_000), ['a'.repeat(9_999)])).toBe(undefined)
  })
})
