import { describe, expect, it } from 'vitest'
import { foldTensors } from '../../src/render/fold-tensors.js'

function folded(...names: string[]): string[] {
  const tensors = names.map((name) => ({ name, dtype: 'F32', shape: [2], bytes: 8 }))
  return foldTensors(tensors).map(({ name, count, bytes }) => `${name} ${count} ${bytes}`)
}

const numbers = (count: number, step = 1) => Array.from({ length: count }, (_, index) => index * step)

describe('layers that are alike', () => {
  it('are one line, with what is missing among them left out', () => {
    expect(folded(...numbers(32).map((at) => `layers.${at}.w`))).toEqual(['layers.{0…31}.w 32 256'])
    expect(folded('l.0.w', 'l.1.w', 'l.2.w', 'l.7.w', 'l.8.w')).toEqual(['l.{0…2,7,8}.w 5 40'])
  })

  it('of two counts are folded in both', () => {
    expect(folded('l.0.h.0', 'l.0.h.1', 'l.1.h.0', 'l.1.h.1')).toEqual(['l.{0,1}.h.{0,1} 4 32'])
  })

  it('with many gaps show the first and the last', () => {
    expect(folded(...numbers(20, 2).map((at) => `l.${at}.w`))).toEqual(['l.{0,2,4,6,8,…,38}.w 20 160'])
  })

  it('are numbers as they are counted: others are names', () => {
    expect(folded('x.00.w', 'x.01.w', 'x.1.w')).toEqual(['x.00.w 1 8', 'x.01.w 1 8', 'x.1.w 1 8'])
  })
})
