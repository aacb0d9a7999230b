/** Python's dict: keys that are equal in Python are one key; the first spelling and place stay, the last value wins. */
import { FormatError } from '../../errors.js'
import type { PyDict, PyPair, PyValue } from './value.js'

const fewKeys = 12

export class DictBuilder {
  readonly #pairs: PyPair[] = []
  readonly #identities: unknown[] = []
  /** Made when there are many keys: a meta has few, and 10,000 metas would have 10,000 maps. */
  #indexes: Map<unknown, number> | undefined

  /** Throws FormatError for a key that Python cannot hash (a list, a dict, a set). */
  set(key: PyValue, value: PyValue): void {
    const identity = identityOf(key)
    const index = this.#indexOf(identity)
    if (index === -1) {
      this.#indexes?.set(identity, this.#pairs.length)
      this.#identities.push(identity)
      this.#pairs.push([key, value])
    } else {
      this.#pairs[index] = [this.#pairs[index]?.[0] ?? null, value]
    }
  }

  #indexOf(identity: unknown): number {
    if (this.#identities.length <= fewKeys) return this.#identities.indexOf(identity)
    this.#indexes ??= new Map(this.#identities.map((each, index) => [each, index]))
    return this.#indexes.get(identity) ?? -1
  }

  keys(): PyValue[] {
    return this.#pairs.map(([key]) => key)
  }

  build(kind: PyDict['kind'] = 'dict'): PyDict {
    return { kind, pairs: this.#pairs }
  }
}

/** Something that is the same for two keys when Python says that they are equal. */
function identityOf(key: PyValue): unknown {
  if (typeof key === 'string') return key
  if (key === null || typeof key !== 'object') return numericIdentity(key)
  switch (key.kind) {
    case 'list':
    case 'set':
    case 'dict':
    case 'ordereddict':
    case 'ndarray':
      throw new FormatError(`a ${key.kind} cannot be a key`)
    case 'numpy':
      return typeof key.value === 'string' ? key.value : keyObject(key.value)
    case 'tuple':
    case 'frozenset':
      return composite(key.kind, key.items)
    case 'bytes':
      return `\0bytes ${Buffer.from(key.bytes).toString('base64')}`
    case 'complex':
      return keyObject(key)
    case 'date':
    case 'datetime':
    case 'timedelta':
      return `\0${JSON.stringify(key)}`
    default:
      return key
  }
}

/** Strings stand for themselves; what is not a string gets a prefix that no printable text has. */
function composite(kind: string, items: readonly PyValue[]): unknown {
  const parts = items.map(identityOf)
  if (parts.some((part) => typeof part !== 'string')) return items
  if (kind === 'frozenset') parts.sort()
  // With their lengths: quotes would have to be escaped, and those within others would double it each time.
  return `\0${kind} ${parts.map((part) => `${String(part).length}:${String(part)}`).join('')}`
}

function numericIdentity(key: null | boolean | bigint | number): unknown {
  if (key === null) return '\0None'
  // PyYAML has one NaN object, which equals itself as a key.
  if (typeof key === 'number' && Number.isNaN(key)) return '\0nan'
  if (typeof key === 'number') return `\0${Number.isInteger(key) ? String(BigInt(key)) : String(key)}`
  return `\0${typeof key === 'boolean' ? Number(key) : String(key)}`
}

function keyObject(value: unknown): unknown {
  if (typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number') {
    return numericIdentity(value)
  }
  if (value instanceof Uint8Array) return `\0bytes ${Buffer.from(value).toString('base64')}`
  const { real, imaginary } = value as { real: number; imaginary: number }
  return imaginary === 0 ? numericIdentity(real) : `\0complex ${real} ${imaginary}`
}
