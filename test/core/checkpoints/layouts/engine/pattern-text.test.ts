/** How patterns of names are shown to people. */
import { describe, expect, it } from 'vitest'
import { patternText } from '../../../../../src/core/checkpoints/layouts/engine/pattern-text.js'

describe('a pattern of names, in words', () => {
  it.each([
    [/^checkpoint-(?<step>\d+)$/, 'checkpoint-<step>'],
    [/^model_\d+\.pth$/, 'model_<number>.pth'],
    [/^epoch=(?<epoch>[0-9]+).*\.ckpt$/, 'epoch=<epoch>*.ckpt'],
    [/\.(?:pt|pth)$/, '*.{pt,pth}'],
    [/^last(?:-v\d+)?\.ckpt$/, 'last[-v<number>].ckpt'],
    [/^(?<unit>ckpt_(?<step>\d+)\.pt)(?:|\.opt)$/, 'ckpt_<step>.pt[.opt]'],
    [/^(?!best)[^.]+\.bin$/, '*.bin'],
    [/^[a-f\d]+-x{2}\w*$/, '*-xx*'],
    [/^a\\b\]$/, 'a\\b]'],
  ])('%s', (pattern, text) => {
    expect(patternText(pattern)).toBe(text)
  })
})
