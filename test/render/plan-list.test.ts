import { expect, it } from 'vitest'
import { Output } from '../../src/render/output.js'
import { renderPlanList, type ListedRow } from '../../src/render/plan-list.js'
import { displayWidth } from '../../src/render/text-width.js'
import { checkpoint } from '../core/checkpoints.js'

const stream = { isTTY: true, columns: 80, rows: 24, isOpen: true, write: () => true }
const output = new Output(stream, stream, { NO_COLOR: '1' })
const rows = Array.from({ length: 30 }, (_, index): ListedRow => {
  const name = `CKPT+2026-11-29+12-${10 + index}-02+00`
  const isKept = index < 2
  const why = isKept ? 'the newest whole one, and the best by --min WER of all' : 'older than the two that are kept'
  return { checkpoint: checkpoint(name), goes: !isKept, why, locked: isKept ? 'protected' : null }
})

it.each([20, 50, 80, 200])(
  'a plan as a list fits %i columns, with all keys and the whole reason of its row',
  (width) => {
    for (const height of [16, 24]) {
      const view = {
        run: '/data/of/somebody/exp/save',
        rows,
        cursor: 20,
        isShowing: false,
        message: '',
        now: 0,
        output,
      }
      const lines = renderPlanList({ ...view, width, height })
      expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
      expect(lines.length).toBeLessThanOrEqual(height)
      const text = lines.join(' ').replace(/ +/g, ' ')
      for (const key of ['up, down: move', 'space: keep or remove', 's: look at it', 'Enter: done', 'q: cancel'])
        expect(text).toContain(key)
      expect(text).toContain('older than the two that are kept')
      expect(text).toContain('28 checkpoints of 30 to remove')
      expect(lines.filter((line) => line.startsWith('> remove'))).toHaveLength(1)
    }
  },
)
