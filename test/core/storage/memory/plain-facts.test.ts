import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OpaqueValue, type MetaValue } from '../../../../src/core/checkpoint.js'
import {
  factsInText,
  mostFacts,
  rawOf,
  textOfFacts,
  valueOfRaw,
} from '../../../../src/core/storage/memory/plain-facts.js'

const { value } = fc.letrec<{ value: MetaValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.bigInt(),
    fc.string(),
    fc.tuple(fc.string(), fc.string()).map(([name, text]) => new OpaqueValue(name, text)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  ),
}))

describe('remembered facts', () => {
  it('are what they were before they were text', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), value), { minLength: 1, maxLength: 5 }), (pairs) => {
        const facts = new Map(pairs)
        const read = factsInText(textOfFacts(new Map([...facts].map(([question, one]) => [question, rawOf(one)]))))
        expect([...(read ?? [])].map(([question, raw]) => [question, valueOfRaw(raw)])).toEqual([...facts])
      }),
    )
  })

  it('of any other text are none, or plain data', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        for (const raw of factsInText(text)?.values() ?? []) valueOfRaw(raw)
      }),
    )
    expect(factsInText('{"kind":"state"}')).toBeNull()
    expect(factsInText('["odd"]')).toBeNull()
    expect(factsInText(`["q","${'x'.repeat(mostFacts)}"]`)).toBeNull()
    for (const raw of [{ f: 'toString' }, { n: '1e9' }, { m: ['a'] }, { m: [1, 2] }, { o: ['a'] }, { x: 1 }, {}])
      expect(valueOfRaw(raw)).toBeUndefined()
  })

  it('nest no deeper than can be read, and are no longer than is kept of one file', () => {
    let deep: MetaValue = 1
    for (let depth = 0; depth < 10_000; depth += 1) deep = [deep]
    expect(rawOf(deep)).toBeUndefined()
    expect(valueOfRaw(JSON.parse('['.repeat(5000) + ']'.repeat(5000)))).toBeUndefined()
    expect(textOfFacts(new Map([['q', 'x'.repeat(mostFacts)]]))).toBe('')
  })
})
