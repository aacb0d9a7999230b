/** The meta that JavaScript gives, as Python is to read it back. */
import { CkptError } from '../../errors.js'
import { savedMark } from './saved-by-ckpt.js'
import { dumpPyYaml, type PyDict, type PyValue } from '../../formats/pyyaml/index.js'

/**
 * A whole number becomes a Python int and any other a float, a Date a time in UTC, bytes `bytes`; a key whose value
 * is undefined is left out.
 */
export type MetaInput =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly MetaInput[]
  | ReadonlyMap<string, MetaInput>
  | { readonly [key: string]: MetaInput }

/** What is to stand in a meta, by key; what is undefined is left out. */
export type MetaInputs = ReadonlyMap<string, MetaInput> | Readonly<Record<string, MetaInput>>

export interface MetaFacts {
  /** Unix seconds. */
  readonly unixtime: number
  readonly endOfEpoch: boolean
}

/**
 * The facts that every checkpoint has, and what was given beside; a given one of the same key wins, as in SpeechBrain
 * (speechbrain/utils/checkpoints.py, `_save_checkpoint_metafile`). Throws CkptError `usage` for values that no meta
 * can hold, a `unixtime` that is not a finite number, and an `end-of-epoch` that is not a boolean.
 */
export function toPyMeta(given: ReadonlyMap<string, PyValue>, { unixtime, endOfEpoch }: MetaFacts): PyDict {
  const pairs = new Map<string, PyValue>([['unixtime', unixtime], ['end-of-epoch', endOfEpoch], ...given])
  const time = pairs.get('unixtime')
  if (typeof time !== 'bigint' && !(typeof time === 'number' && Number.isFinite(time))) {
    throw new CkptError('usage', 'the meta key unixtime is the time in seconds since 1970, and must be a number', {
      hint: 'leave it out: it is the time of the save',
    })
  }
  if (typeof pairs.get('end-of-epoch') !== 'boolean') {
    throw new CkptError('usage', 'the meta key end-of-epoch must be true or false')
  }
  return { kind: 'dict', pairs: [...pairs] }
}

/** Throws CkptError `usage` for what no meta can hold. */
export function toPyValues(given: MetaInputs): Map<string, PyValue> {
  return new Map(pairsOf(given, 0))
}

/** The text of `CKPT.yaml`. SpeechBrain's first line is that comment; the next is ckpt's mark. */
export function metaText(meta: PyDict): string {
  return `# yamllint disable\n${savedMark}\n${dumpPyYaml(meta)}`
}

/** Deeper ones are cyclic or a mistake; what may be written is less deep still. */
const maxDepth = 200

function toPyValue(value: MetaInput, depth: number): PyValue {
  if (depth > maxDepth) throw new CkptError('usage', 'a meta that is nested without end cannot be saved')
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return isInt(value) ? BigInt(value) : value
  if (typeof value !== 'object') return checkedScalar(value)
  if (value instanceof Date) return dateOf(value)
  if (value instanceof Uint8Array) return { kind: 'bytes', bytes: value }
  if (isList(value)) return { kind: 'list', items: value.map((item) => toPyValue(item, depth + 1)) }
  return { kind: 'dict', pairs: pairsOf(value, depth + 1) }
}

function isList(value: object): value is readonly MetaInput[] {
  return Array.isArray(value)
}

function checkedScalar(value: boolean | bigint | string): PyValue {
  // A program in JavaScript may hand over anything.
  if (['boolean', 'bigint', 'string'].includes(typeof value)) return value
  throw new CkptError('usage', `a ${typeof value} cannot be saved in a meta`)
}

/** -0 has no int. */
function isInt(value: number): boolean {
  return Number.isInteger(value) && !Object.is(value, -0) && Math.abs(value) < 2 ** 53
}

function pairsOf(given: MetaInputs, depth: number): [string, PyValue][] {
  const entries: Iterable<[string, MetaInput]> = isMap(given) ? given : Object.entries(given)
  const pairs: [string, PyValue][] = []
  for (const [key, value] of entries) {
    if (value !== undefined) pairs.push([key, toPyValue(value, depth)])
  }
  return pairs
}

function isMap(given: MetaInputs): given is ReadonlyMap<string, MetaInput> {
  return given instanceof Map
}

function dateOf(date: Date): PyValue {
  const year = date.getUTCFullYear()
  if (Number.isNaN(year) || year < 1 || year > 9999) {
    throw new CkptError('usage', 'a date that Python cannot hold cannot be saved: its years are 1 to 9999')
  }
  return {
    kind: 'datetime',
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    microsecond: date.getUTCMilliseconds() * 1000,
    offset: 0,
  }
}
