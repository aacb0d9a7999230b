/** Settings as people type them: text without quotes, as the value that is meant. */
import type { MetaValue } from '../../checkpoint.js'

/** The key under which a mapping's own tag stands. */
export const tagKey = ''

const words: ReadonlyMap<string, MetaValue> = new Map<string, MetaValue>([
  ['', null],
  ['~', null],
  ['null', null],
  ['none', null],
  ['true', true],
  ['false', false],
])
const number = /^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i

/** A value that stands without quotes, as people mean it: `1e-3`, which PyYAML takes for a text, is a number. */
export function plainValue(text: string): MetaValue {
  const known = words.get(text.length > 5 ? ' ' : text.toLowerCase())
  if (known !== undefined) return known
  if (text.length < 40 && number.test(text)) {
    const value = Number(text.replaceAll('_', ''))
    return Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+]?\d+$/.test(text) ? BigInt(text) : value
  }
  const special = /^([-+]?)\.?(inf|nan)$/i.exec(text)
  if (special === null) return text
  return special[2]?.toLowerCase() === 'nan' ? NaN : special[1] === '-' ? -Infinity : Infinity
}
