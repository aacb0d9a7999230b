/** Our values in the form of test/fixtures/pyyaml/expected.json, which Python wrote. */
import type { NumericElement } from '../../../../src/core/formats/bytes/elements.js'
import {
  complexText,
  dateText,
  datetimeText,
  elementText,
  floatRepr,
} from '../../../../src/core/formats/python/text.js'
import type { PyValue } from '../../../../src/core/formats/pyyaml/index.js'

export type OracleValue = { type: string } & Record<string, unknown>

export function asOracle(value: PyValue): OracleValue {
  if (value === null) return { type: 'null' }
  if (typeof value === 'boolean') return { type: 'bool', value }
  if (typeof value === 'bigint') return { type: 'int', value: String(value) }
  if (typeof value === 'number') return { type: 'float', value: floatRepr(value) }
  return typeof value === 'string' ? { type: 'str', value } : objectAsOracle(value)
}

function objectAsOracle(value: Extract<PyValue, { kind: string }>): OracleValue {
  switch (value.kind) {
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
      return { type: value.kind, items: value.items.map(asOracle) }
    case 'dict':
    case 'ordereddict':
      return { type: value.kind, pairs: value.pairs.map(([key, item]) => [asOracle(key), asOracle(item)]) }
    case 'bytes':
      return { type: 'bytes', base64: Buffer.from(value.bytes).toString('base64') }
    case 'date':
      return { type: 'date', value: dateText(value) }
    case 'datetime':
      return { type: 'datetime', value: datetimeText(value) }
    case 'timedelta':
      return { type: 'timedelta', args: [value.days, value.seconds, value.microseconds] }
    case 'complex':
      return { type: 'complex', value: complexText(value) }
    case 'numpy':
      return { type: 'numpy', dtype: value.dtype, value: element(value.value) }
    case 'ndarray':
    case 'tensor':
    case 'parameter':
      return { type: value.kind, dtype: value.dtype, shape: value.shape, values: (value.values ?? []).map(element) }
    case 'opaque':
      return { type: 'opaque', repr: value.repr }
  }
}

function element(value: NumericElement): string {
  return elementText(value)
}
