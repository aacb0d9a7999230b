import fc from 'fast-check'
import { expect, it } from 'vitest'
import { dateText, datetimeText, floatRepr } from '../../src/core/formats/python/text.js'
import { dumpPyYaml, type PyValue } from '../../src/core/formats/pyyaml/index.js'
import { pyDicts } from '../core/formats/pyyaml/values.js'
import { askPython } from './python.js'

interface Answer {
  readonly value: unknown
  readonly again: string
}

const count = 2000

it(`PyYAML reads ${count} metas that we wrote to the same values, and writes them the same`, () => {
  const dicts = fc.sample(pyDicts, { numRuns: count })
  const texts = dicts.map(dumpPyYaml)
  const answers = askPython({ do: 'read_yaml', texts }) as Answer[]
  expect(answers).toHaveLength(count)
  for (const [index, { value, again }] of answers.entries()) {
    const dict = dicts[index]
    if (dict === undefined) throw new Error('one answer too many')
    expect(value).toEqual(plain(dict))
    // PyYAML writes an object that it meets twice as an anchor and an alias.
    if (!again.includes('&id0')) expect(again).toBe(texts[index])
  }
})

/** As speechbrain_side.py describes values. */
function plain(value: PyValue): unknown {
  if (value === null) return { type: 'NoneType', value: null }
  if (typeof value === 'boolean') return { type: 'bool', value }
  if (typeof value === 'bigint') return { type: 'int', value: String(value) }
  if (typeof value === 'number') return { type: 'float', value: floatRepr(value) }
  if (typeof value === 'string') return { type: 'str', value }
  switch (value.kind) {
    case 'bytes':
      return { type: 'bytes', value: [...value.bytes] }
    case 'date':
      return { type: 'date', value: dateText(value) }
    case 'datetime':
      return { type: 'datetime', value: datetimeText(value) }
    case 'list':
      return { type: 'list', value: value.items.map(plain) }
    case 'set':
      return { type: 'set', value: value.items.map(plain).sort(byJson) }
    case 'dict':
      return { type: 'dict', value: value.pairs.map((pair) => pair.map(plain)).sort(byJson) }
    default:
      throw new Error(value.kind)
  }
}

/** As Python sorts by `json.dumps`, which escapes all but ASCII. */
function byJson(a: unknown, b: unknown): number {
  return jsonOf(a) < jsonOf(b) ? -1 : 1
}

function jsonOf(value: unknown): string {
  const text = Array.isArray(value) ? `[${value.map(jsonOf).join(', ')}]` : objectJson(value)
  return text
}

function objectJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).replace(/[\x7f-\uffff]/g, escape)
  const pairs = Object.entries(value).map(([key, inner]) => `"${key}": ${jsonOf(inner)}`)
  return `{${pairs.join(', ')}}`
}

function escape(unit: string): string {
  return unit === '\x7f' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
