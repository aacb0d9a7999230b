/** Values as PyYAML knows them, for tests of writing them. */
import fc from 'fast-check'
import type { PyDict, PyValue } from '../../../../src/core/formats/pyyaml/index.js'

export function dictOf(values: Readonly<Record<string, PyValue>>): PyDict {
  return { kind: 'dict', pairs: Object.entries(values) }
}

/** Texts in which YAML sees more than letters, and texts of blanks and line feeds that fold. */
const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom(...Array.from(' \n\ta:#-?\'"\\,[]{}&*!|>%@`.1e+_~=<yY\xe9\u2028')),
    maxLength: 300,
  }),
  fc.string({ unit: fc.constantFrom(' ', '\n', 'word', "it's", '\xe9'), maxLength: 100 }),
  fc.constantFrom('yes', 'No', 'null', '~', '.nan', '-.inf', '0b1', '1_000', '1:30.5', '2001-1-4', '---', '...', '- a'),
)

const numbers: fc.Arbitrary<PyValue> = fc.oneof(
  fc.boolean(),
  fc.double(),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
)

const dates: fc.Arbitrary<PyValue> = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => ({ kind: 'date', year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }))

const times: fc.Arbitrary<PyValue> = fc
  .record({
    hour: fc.nat(23),
    minute: fc.nat(59),
    second: fc.nat(59),
    microsecond: fc.nat(999_999),
    offset: fc.option(fc.integer({ min: -1439, max: 1439 })),
  })
  .map((time) => ({ kind: 'datetime', year: 2024, month: 2, day: 29, ...time }))

const bytes: fc.Arbitrary<PyValue> = fc
  .uint8Array({ maxLength: 150 })
  .map((data) => ({ kind: 'bytes', bytes: Uint8Array.from(data) }))

const scalars: fc.Arbitrary<PyValue> = fc.oneof(fc.constant(null), numbers, texts, dates, times)

/** Mappings of all that a meta may hold, some levels deep. */
export const pyDicts: fc.Arbitrary<PyDict> = fc.letrec<{ value: PyValue; dict: PyDict }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalars,
    bytes,
    fc.array(tie('value'), { maxLength: 4 }).map((items): PyValue => ({ kind: 'list', items })),
    fc.uniqueArray(texts, { maxLength: 3 }).map((items): PyValue => ({ kind: 'set', items })),
    tie('dict'),
  ),
  dict: fc
    .uniqueArray(fc.tuple(texts, tie('value')), { maxLength: 6, selector: ([key]) => key })
    .map((pairs): PyDict => ({ kind: 'dict', pairs })),
})).dict
