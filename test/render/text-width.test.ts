/** Columns of text on a terminal. */
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { displayWidth } from '../../src/render/text-width.js'

describe('the width of text', () => {
  it.each(['layers.{0…31}.weight', '32 ×', 'a – b — c · d', '§ 5', '学習率', 'e\u0301', '🎤 loss', '©', ''])(
    'is what a terminal gives %j',
    (text) => expect(displayWidth(text)).toBe(stringWidth(text)),
  )
})
