import { describe, expect, it } from 'vitest'
import { abridgeLists, type Named } from '../../src/render/name-lists.js'
import { displayWidth } from '../../src/render/text-width.js'

const best = (...names: string[]): Named => ({ lead: 'best ', names, counted: (count) => `best by ${count}` })
const text = (lead: string): Named => ({ lead, names: [] })
const at = (width: number, ...rows: Named[][]) => abridgeLists(rows, { separator: ' ', width })

describe('lists of names in little room', () => {
  it('have fewer names, and say how many more', () => {
    const lists = [text('latest'), best('loss', 'WER', 'accuracy'), text('pinned')]
    expect(at(80, lists)).toEqual(['latest, best loss WER accuracy, pinned'])
    expect(at(34, lists)).toEqual(['latest, best loss WER +1, pinned'])
    expect(at(28, lists)).toEqual(['latest, best loss +2, pinned'])
  })

  it('never cut a name so that it could be another', () => {
    const rows = ['bbox/AP-per-category-of-a-set', 'bbox/AP50', 'bbox/AP75'].map((name) => [text('latest'), best(name)])
    const texts = at(20, ...rows)
    expect(new Set(texts).size).toBe(rows.length)
    expect(texts[1]).toContain('AP50')
    expect(
      at(
        24,
        [{ lead: 'same as ', names: ['model_0000029.pth'] }],
        [{ lead: 'same as ', names: ['model_0000039.pth'] }],
      ),
    ).toEqual(['same as …0000029.pth', 'same as …0000039.pth'])
  })

  it('have none where a short one would be like another', () => {
    const metric = (set: string, how: string) => `valid/librispeech_test_${set}/word_error_rate_${how}`
    const all = ['clean', 'other'].flatMap((set) => ['greedy', 'beam'].map((how) => metric(set, how)))
    const [texts] = [at(24, [text('latest'), best(...all)], ...all.map((name) => [best(name)]))]
    expect(texts[0]).toBe('latest, best by 4')
    expect(new Set(texts).size).toBe(texts.length)
  })

  it('cut what else is said at its end, in any room', () => {
    const rows = [[best('coco/bbox_mAP_50', 'coco/bbox_mAP_75'), text('pinned until 2027-03-01: table 2 of the paper')]]
    for (let width = 4; width < 90; width += 1) {
      for (const line of at(width, ...rows)) expect(displayWidth(line)).toBeLessThanOrEqual(width)
    }
    expect(at(40, ...rows)[0]).toMatch(/^best \S*50 \+1, pinned until 2027/)
    expect(at(12, [])).toEqual([''])
  })
})
