import { describe, expect, it } from 'vitest'
import type { TensorInfo } from '../../src/core/tensors/read/index.js'
import { foldedLines, renderTensors, type ListedTensor } from '../../src/render/tensors.js'
import { displayWidth } from '../../src/render/text-width.js'

const layer = 'model.decoder.transformer.layers'
const long = `callbacks.${'x'.repeat(90)}.best`

function tensor(name: string, bytes = 8, shared?: string): TensorInfo {
  return { name, dtype: 'F32', shape: [bytes / 4], bytes, ...(shared === undefined ? {} : { shared }) }
}

function render(tensors: readonly ListedTensor[], width: number): string[] {
  const file = { key: null, path: '/m', tensors, metadata: new Map(), values: null, findings: [], opaque: new Map(), unsafe: [] } // prettier-ignore
  return renderTensors([file], { colours: false, width })
}

function measured(name: string, nan = 0): ListedTensor {
  const stats = { min: -1.2345e-10, max: 1.2345e10, mean: 0.123456, std: 1.23456, nan, infinite: 0 }
  return { ...tensor(name), stats }
}

describe('a list of tensors', () => {
  it('counts what is in the storage of another once', () => {
    const [title] = render([tensor('emb', 8, 'emb'), tensor('fc', 8, 'emb'), tensor('row', 4, 'emb'), tensor('b')], 80)
    expect(title).toBe('/m: 4 tensors, 16 B, 2 of them in the storage of another')
  })

  it('fits a narrow terminal, one long name leaving all others as they are', () => {
    const tensors = [tensor('head'), tensor(`${layer}.0.attention.query_key_value.weight`), tensor(long, 8, 'head')]
    const lines = foldedLines(tensors, 60)
    expect(lines[0]).toMatch(/^head +F32 {2}\[2\] {2}8 B$/)
    expect(lines.slice(-2)).toEqual([expect.stringMatching(/^callbacks\.x+…x+\.best$/), expect.stringMatching(/^ +F32 .*= head$/)]) // prettier-ignore
    expect(lines.filter((line) => displayWidth(line) > 60)).toEqual([])
  })

  it('is complete in a pipe', () => {
    expect(foldedLines([tensor(long)], Infinity)).toEqual([`${long}  F32  [2]  8 B`])
  })

  it('says how many tensors it leaves out', () => {
    const tensors = [tensor('a'), ...[0, 1, 2].map((at) => tensor(`l.${at}.w`)), tensor('b')]
    expect(foldedLines(tensors, 80, 1)).toEqual(['a  F32  [2]  8 B', '… and 4 more: --all'])
  })
})

describe('statistics', () => {
  const head = (lines: readonly string[]) => lines[1]?.trim().split(/ +/)

  it('stay on a narrow terminal, where the form leaves, and counts that are all 0', () => {
    const tensors = [measured(`${layer}.0.weight`), measured('b')]
    expect(head(render(tensors, 80))).toEqual(['name', 'dtype', 'shape', 'min', 'max', 'mean', 'std'])
    expect(head(render(tensors, 60))).toEqual(['name', 'min', 'max', 'mean', 'std'])
    for (const width of [80, 60])
      expect(render(tensors, width).filter((line) => displayWidth(line) > width)).toEqual([])
  })

  it('tell NaN on any terminal', () => {
    expect(head(render([measured('a', 3), measured('b')], 60))).toContain('NaN')
  })

  it('are all there in a pipe', () => {
    const all = ['name', 'dtype', 'shape', 'size', 'min', 'max', 'mean', 'std', 'NaN', 'inf']
    expect(head(render([measured('a')], Infinity))).toEqual(all)
  })
})
