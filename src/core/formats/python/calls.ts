/**
 * Python objects as `yaml.dump` writes them: a tag that names a class or function, and what it would be called with.
 * The known ones are rebuilt as data, the rest are named. Nothing is called.
 */
import { FormatError } from '../../errors.js'
import { elementTypes } from '../bytes/elements.js'
import { numpyDtype, type NumpyDtype } from '../numpy/dtype.js'
import { readBareStorage, type BareStorage } from '../torch-storages/legacy.js'
import { decodeBase64 } from './base64.js'
import { DictBuilder } from './dict.js'
import { parseComplex } from './complex.js'
import { numpyArray, numpyScalar, torchTensor } from './rebuild.js'
import { repr, stringRepr } from './text.js'
import type { PyDict, PyOpaque, PyPair, PyValue } from './value.js'

/** A tag without `tag:yaml.org,2002:`, and the parts that PyYAML's constructor would use. */
export interface PythonCall {
  readonly tag: string
  readonly args: readonly PyValue[]
  readonly keywords: readonly PyPair[]
  readonly state: PyValue
  readonly items: readonly PyValue[]
  readonly entries: readonly PyPair[]
  /** All pairs of the node, where it is a mapping. */
  readonly fields: readonly PyPair[]
}

/** Called for each call that is not known as data by its name, with the names handed to it. Throws FormatError for what it refuses. */
export type LookAtCall = (name: string, handed: readonly string[]) => void

type Builder = (call: PythonCall) => PyValue | undefined

/** Decodes the calls of one document; remembers what the dtypes and storages met so far really are. */
export class CallDecoder {
  readonly #dtypes = new Map<PyValue, NumpyDtype>()
  readonly #storages = new Map<PyValue, BareStorage>()
  /** What stands for a function, a class or a module itself. */
  readonly #names = new Map<PyValue, string>()

  constructor(private readonly look?: LookAtCall) {}

  readonly #builders: ReadonlyMap<string, Builder> = new Map<string, Builder>([
    ['numpy.dtype', (call) => this.#dtype(call)],
    ['numpy.core.multiarray.scalar', (call) => this.#numpyScalar(call)],
    ['numpy.core.multiarray._reconstruct', (call) => this.#numpyArray(call)],
    ['torch.storage._load_from_bytes', (call) => this.#storage(call)],
    ['torch._utils._rebuild_tensor', (call) => this.#tensor(call)],
    ['torch._utils._rebuild_tensor_v2', (call) => this.#tensor(call)],
    ['torch._utils._rebuild_tensor_v3', (call) => this.#tensor(call)],
    ['torch._utils._rebuild_parameter', parameter],
    ['torch._utils._rebuild_parameter_with_state', parameter],
    ['collections.OrderedDict', orderedDict],
    ['collections.defaultdict', dictOf],
    ['collections.Counter', dictOf],
    ['builtins.dict', dictOf],
    ['builtins.frozenset', collection('frozenset')],
    ['builtins.set', collection('set')],
    ['builtins.list', collection('list')],
    ['builtins.tuple', collection('tuple')],
    ['builtins.bytearray', byteArray],
    ['builtins.range', range],
    ['builtins.complex', complexCall],
    ['datetime.timedelta', timedelta],
    ['datetime.time', time],
    ['datetime.timezone', timezone],
    ['torch.device', device],
    ['torch.Size', size],
  ])

  /** A scalar with a tag: bytes, complex numbers, names of Python things. Throws FormatError for broken ones. */
  scalar(tag: string, text: string): PyValue {
    if (tag === 'binary' || tag === 'python/bytes') return { kind: 'bytes', bytes: decodeBase64(text) }
    if (tag === 'python/complex') return parseComplex(text)
    if (tag === 'python/tuple' || tag === 'python/list' || tag === 'seq' || tag === 'map' || tag === 'set') {
      throw new FormatError(`found a scalar where !!${tag} expects something else`)
    }
    const name = nameOf(tag)
    const module = tag.startsWith('python/module:')
    const value: PyOpaque = { kind: 'opaque', name, repr: module ? `<module ${stringRepr(name)}>` : `<${name}>` }
    this.#names.set(value, name)
    return value
  }

  call(call: PythonCall): PyValue {
    const name = nameOf(call.tag)
    const isApply = call.tag.startsWith('python/object/apply:')
    const built = isApply ? this.#builders.get(canonicalName(name))?.(call) : undefined
    if (built !== undefined) return built
    this.look?.(name, this.#names.size === 0 ? [] : this.#handedTo(call))
    if (!/^python\/object\/(?:apply|new):/.test(call.tag)) return { kind: 'opaque', name, repr: `<${name}>` }
    return path(name, call) ?? { kind: 'opaque', name, repr: callRepr(name, call) }
  }

  #handedTo({ args, keywords, state, items, entries }: PythonCall): string[] {
    const found: string[] = []
    const rest: PyValue[] = [...args, state, ...items, ...[...keywords, ...entries].flat()]
    const seen = new Set<PyValue>()
    for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
      if (typeof value !== 'object' || value === null || seen.has(value)) continue
      seen.add(value)
      const name = this.#names.get(value)
      if (name !== undefined) found.push(name)
      const inside = isSequence(value) ? value.items : isDict(value) ? value.pairs.flat() : []
      for (const item of inside) rest.push(item)
    }
    return found
  }

  /** numpy.dtype: args are the code and two flags; the state is (version, byte order, …). */
  #dtype({ args, state }: PythonCall): PyOpaque | undefined {
    const [code] = args
    const order = isSequence(state) ? state.items[1] : '<'
    if (typeof code !== 'string') return undefined
    const dtype = numpyDtype(code, typeof order === 'string' ? order : '<')
    if (dtype === null) return undefined
    const value: PyOpaque = { kind: 'opaque', name: 'numpy.dtype', repr: `dtype('${dtype.name}')` }
    this.#dtypes.set(value, dtype)
    return value
  }

  #numpyScalar({ args }: PythonCall): PyValue | undefined {
    const [dtypeValue = null, data] = args
    if (data === undefined) throw new FormatError('a numpy scalar without its data')
    const dtype = this.#dtypes.get(dtypeValue)
    if (dtype === undefined || !isBytes(data)) return undefined
    const value = numpyScalar(dtype, data.bytes)
    if (value !== undefined) return value
    throw new FormatError(`a numpy ${dtype.name} needs ${dtype.size} bytes, and has ${data.bytes.length}`)
  }

  /** The state is (version, shape, dtype, is Fortran, bytes); arrays of objects have a list in place of bytes. */
  #numpyArray({ state }: PythonCall): PyValue | undefined {
    if (!isSequence(state)) return undefined
    const [shapeValue = null, dtypeValue = null, fortran = null, data = null] = state.items.slice(-4)
    const shape = lengths(shapeValue)
    const dtype = this.#dtypes.get(dtypeValue)
    if (shape === undefined || dtype === undefined || !isBytes(data)) return undefined
    const value = numpyArray(dtype, shape, fortran === true, data.bytes)
    if (value !== undefined) return value
    throw new FormatError(`a numpy array of ${dtype.name} [${shape.join(', ')}] cannot have ${data.bytes.length} bytes`)
  }

  #storage({ args: [data = null] }: PythonCall): PyOpaque | undefined {
    if (!isBytes(data)) return undefined
    const storage = readBareStorage(data.bytes)
    const value: PyOpaque = { kind: 'opaque', name: 'torch.storage', repr: `<torch.storage ${storage.dtype}>` }
    this.#storages.set(value, storage)
    return value
  }

  /** Args are (storage, offset, size, stride, requires_grad, hooks[, dtype]); v3 names the dtype of its raw bytes. */
  #tensor({ tag, args }: PythonCall): PyValue | undefined {
    const [storageValue = null, offsetValue, sizeValue = null, strideValue = null] = args
    const storage = this.#storages.get(storageValue)
    const shape = lengths(sizeValue)
    const strides = lengths(strideValue)
    const offset = typeof offsetValue === 'bigint' ? Number(offsetValue) : undefined
    if (storage === undefined || shape === undefined || strides === undefined || offset === undefined) return undefined
    const dtype = tag.endsWith('_v3') ? dtypeName(args[6]) : storage.dtype
    const type = elementTypes.get(dtype)
    return type === undefined ? undefined : torchTensor(type, storage, { offset, shape, strides })
  }
}

function nameOf(tag: string): string {
  return tag.replace(/^python\/(?:object\/apply:|object\/new:|object:|name:|module:)/, '')
}

/** numpy 2 says `numpy._core`, Python 2 `__builtin__`. */
function canonicalName(name: string): string {
  return name.replace(/^numpy\._core\./, 'numpy.core.').replace(/^__builtin__\./, 'builtins.')
}

function parameter({ args: [tensor = null] }: PythonCall): PyValue | undefined {
  if (typeof tensor !== 'object' || tensor?.kind !== 'tensor') return undefined
  return { ...tensor, kind: 'parameter' }
}

/** Python writes an OrderedDict as a list of [key, value] lists. */
function orderedDict({ args: [pairs], entries }: PythonCall): PyValue | undefined {
  const dict = new DictBuilder()
  if (pairs !== undefined && !addPairs(dict, pairs)) return undefined
  for (const [key, value] of entries) dict.set(key, value)
  return dict.build('ordereddict')
}

function addPairs(dict: DictBuilder, value: PyValue): boolean {
  if (isDict(value)) {
    for (const [key, item] of value.pairs) dict.set(key, item)
    return true
  }
  if (!isSequence(value)) return false
  for (const pair of value.items) {
    if (!isSequence(pair) || pair.items.length !== 2) return false
    dict.set(pair.items[0] ?? null, pair.items[1] ?? null)
  }
  return true
}

/** A dict, a Counter or a defaultdict, whose first argument is not its content. */
function dictOf({ tag, args, entries }: PythonCall): PyValue | undefined {
  const content = tag.endsWith('defaultdict') ? args[1] : args[0]
  const dict = new DictBuilder()
  if (content !== undefined && !addPairs(dict, content)) return undefined
  for (const [key, value] of entries) dict.set(key, value)
  return dict.build()
}

function collection(kind: 'list' | 'tuple' | 'set' | 'frozenset'): Builder {
  return ({ args: [items] }) => {
    if (items === undefined) return { kind, items: [] }
    if (!isSequence(items)) return undefined
    if (kind === 'list' || kind === 'tuple') return { kind, items: items.items }
    const unique = new DictBuilder()
    for (const item of items.items) unique.set(item, null)
    return { kind, items: unique.keys() }
  }
}

function byteArray({ args: [text = ''] }: PythonCall): PyValue | undefined {
  if (isBytes(text)) return text
  return typeof text === 'string' ? { kind: 'bytes', bytes: Uint8Array.from(Buffer.from(text, 'latin1')) } : undefined
}

function range(call: PythonCall): PyOpaque {
  const args = call.args[2] === 1n ? call.args.slice(0, 2) : call.args
  return { kind: 'opaque', name: 'builtins.range', repr: callRepr('range', { ...call, args }) }
}

function complexCall({ args: [real = 0, imaginary = 0] }: PythonCall): PyValue | undefined {
  if (typeof real !== 'number' || typeof imaginary !== 'number') return undefined
  return { kind: 'complex', real, imaginary }
}

/** Args are days, seconds, microseconds; normalised as datetime.timedelta does. */
function timedelta({ args }: PythonCall): PyValue | undefined {
  const [days = 0n, seconds = 0n, microseconds = 0n] = args
  if (typeof days !== 'bigint' || typeof seconds !== 'bigint' || typeof microseconds !== 'bigint') return undefined
  const total = (days * 86_400n + seconds) * 1_000_000n + microseconds
  const wholeDays = floorDivide(total, 86_400_000_000n)
  if (wholeDays < -999_999_999n || wholeDays > 999_999_999n) return undefined
  const rest = Number(total - wholeDays * 86_400_000_000n)
  return {
    kind: 'timedelta',
    days: Number(wholeDays),
    seconds: Math.floor(rest / 1_000_000),
    microseconds: rest % 1_000_000,
  }
}

function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend % divisor < 0n ? quotient - 1n : quotient
}

/** Six bytes: hour, minute, second and 24 bits of microseconds, big-endian (CPython Modules/_datetimemodule.c). */
function time({ args: [data = null] }: PythonCall): PyOpaque | undefined {
  if (!isBytes(data) || data.bytes.length !== 6) return undefined
  const [hour = 0, minute = 0, second = 0, high = 0, middle = 0, low = 0] = data.bytes
  const microsecond = high * 65_536 + middle * 256 + low
  const parts = [
    hour % 128,
    minute,
    ...(second + microsecond > 0 ? [second] : []),
    ...(microsecond > 0 ? [microsecond] : []),
  ]
  return { kind: 'opaque', name: 'datetime.time', repr: `datetime.time(${parts.join(', ')})` }
}

function timezone(call: PythonCall): PyOpaque {
  const [offset] = call.args
  const isUtc = call.args.length === 1 && offset !== undefined && repr(offset) === 'datetime.timedelta(0)'
  const text = isUtc ? 'datetime.timezone.utc' : `datetime.timezone(${call.args.map((arg) => repr(arg)).join(', ')})`
  return { kind: 'opaque', name: 'datetime.timezone', repr: text }
}

function device({ args: [type, index] }: PythonCall): PyOpaque | undefined {
  if (typeof type !== 'string') return undefined
  const number = typeof index === 'bigint' ? index.toString() : undefined
  const suffix = number === undefined ? '' : `, index=${number}`
  const text = number === undefined ? type : `${type}:${number}`
  return { kind: 'opaque', name: 'torch.device', repr: `device(type=${stringRepr(type)}${suffix})`, text }
}

function size(call: PythonCall): PyOpaque | undefined {
  const [lengths] = call.args
  if (lengths === undefined || !isSequence(lengths)) return undefined
  return { kind: 'opaque', name: 'torch.Size', repr: `torch.Size(${repr({ kind: 'list', items: lengths.items })})` }
}

/** pathlib's paths, of any kind. */
function path(name: string, { args }: PythonCall): PyOpaque | undefined {
  if (!/^pathlib(?:\._local)?\.\w*Path$/.test(name) || !args.every((arg) => typeof arg === 'string')) return undefined
  const text = joinPath(args)
  return { kind: 'opaque', name, repr: `${shortName(name)}(${stringRepr(text)})`, text }
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

/** As most reprs are: the class's own name and what it was called with. */
function callRepr(name: string, { args, keywords, items, entries }: PythonCall): string {
  const short = shortName(name)
  const parts = [
    ...args.slice(0, 100).map((arg) => repr(arg)),
    ...keywords.map(([key, value]) => `${typeof key === 'string' ? key : repr(key)}=${repr(value)}`),
    ...(items.length > 0 ? [repr({ kind: 'list', items })] : []),
    ...(entries.length > 0 ? [repr({ kind: 'dict', pairs: entries })] : []),
  ]
  return `${short}(${parts.join(', ')})`
}

/** The first part is the root, or a drive with its root. */
function joinPath(parts: readonly string[]): string {
  const [root = '.', ...rest] = parts.map((part) => part.replaceAll('\\', '/'))
  return root.endsWith('/') ? root + rest.join('/') : [root, ...rest].join('/')
}

function dtypeName(value: PyValue | undefined): string {
  return typeof value === 'object' && value?.kind === 'opaque' ? value.name.replace(/^torch\./, '') : ''
}

function lengths(value: PyValue): number[] | undefined {
  if (!isSequence(value)) return undefined
  const numbers = value.items.map((item) => (typeof item === 'bigint' ? Number(item) : NaN))
  return numbers.every((number) => Number.isSafeInteger(number)) ? numbers : undefined
}

function isSequence(value: PyValue): value is Extract<PyValue, { items: unknown }> {
  return typeof value === 'object' && value !== null && 'items' in value
}

function isDict(value: PyValue): value is PyDict {
  return typeof value === 'object' && value !== null && 'pairs' in value
}

function isBytes(value: PyValue): value is Extract<PyValue, { kind: 'bytes' }> {
  return typeof value === 'object' && value !== null && value.kind === 'bytes'
}
