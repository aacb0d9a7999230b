/**
 * The pickle of a state_dict: an OrderedDict of tensors, in protocol 2 and of nothing but what torch's restricted
 * reader takes (PyTorch: torch/_weights_only_unpickler.py, torch/_utils.py, torch/_tensor.py `_reduce_ex_internal`).
 */
import { CkptError } from '../../errors.js'
import { mostDimensions } from './tensor.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import type { PickleGlobal, PickleInstance, PickleNode } from '../pickle/index.js'
import type { Dtype, Shape } from '../safetensors/safetensors.js'

export interface PickledTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
  /** Bytes of all elements. */
  readonly bytes: number
  /** Key of the storage that holds this tensor and nothing else: `0`. */
  readonly storage: string
}

/** Storage classes by dtype, with the bytes of an element. */
const storageClasses: ReadonlyMap<Dtype, readonly [name: string, itemSize: number]> = new Map([
  ['BOOL', ['BoolStorage', 1]],
  ['U8', ['ByteStorage', 1]],
  ['I8', ['CharStorage', 1]],
  ['I16', ['ShortStorage', 2]],
  ['F16', ['HalfStorage', 2]],
  ['BF16', ['BFloat16Storage', 2]],
  ['I32', ['IntStorage', 4]],
  ['F32', ['FloatStorage', 4]],
  ['C64', ['ComplexFloatStorage', 8]],
  ['F64', ['DoubleStorage', 8]],
  ['I64', ['LongStorage', 8]],
])

/** Dtypes that no storage class is named for: they lie in an untyped storage, counted in bytes. */
const untyped: ReadonlyMap<Dtype, string> = new Map([
  ['U16', 'uint16'],
  ['U32', 'uint32'],
  ['U64', 'uint64'],
  ['F8_E5M2', 'float8_e5m2'],
  ['F8_E4M3', 'float8_e4m3fn'],
  ['F8_E8M0', 'float8_e8m0fnu'],
  ['F8_E5M2FNUZ', 'float8_e5m2fnuz'],
  ['F8_E4M3FNUZ', 'float8_e4m3fnuz'],
])

/** True when torch has such a dtype as one element each. */
export function hasTorchDtype(dtype: Dtype): boolean {
  return storageClasses.has(dtype) || untyped.has(dtype)
}

/** Throws CkptError `refused` for a dtype or a shape that torch does not have. */
export function pickleStateDict(tensors: readonly PickledTensor[]): Uint8Array {
  return new StateDictPickler().pickle(tensors)
}

/** The call that makes a tensor, as `pickleStateDict` writes it. Throws CkptError `refused` as that does. */
export function tensorNode({ name, dtype, shape, bytes, storage }: PickledTensor): PickleInstance {
  const untypedName = untyped.get(dtype)
  const [typed, itemSize = 1] = storageClasses.get(dtype) ?? []
  if (typed === undefined && untypedName === undefined) throw noTorchDtype(name, dtype)
  const cls = typed === undefined ? global('torch.storage', 'UntypedStorage') : global('torch', typed)
  const id = tuple(['storage', cls, storage, 'cpu', BigInt(bytes / itemSize)])
  const counts = (values: Shape) => tuple(values.map(BigInt))
  const rebuilder = untypedName === undefined ? '_rebuild_tensor_v2' : '_rebuild_tensor_v3'
  return call(global('torch._utils', rebuilder), [
    { kind: 'persistent', id, index: 0 },
    0n,
    counts(shape),
    counts(stridesOf(shape)),
    false,
    call(global('collections', 'OrderedDict'), []),
    ...(untypedName === undefined ? [] : [global('torch', untypedName)]),
  ])
}

function tuple(items: PickleNode[]): PickleNode {
  return { kind: 'tuple', items }
}

function global(module: string, name: string): PickleGlobal {
  return { kind: 'global', module, name }
}

function call(callee: PickleGlobal, args: PickleNode[]): PickleInstance {
  return { kind: 'call', callee, args: tuple(args), keywords: null, states: [], items: [], entries: [] }
}

function noTorchDtype(name: string, dtype: Dtype): CkptError {
  return new CkptError('refused', `torch has no dtype for ${JSON.stringify(name)}, which is ${dtype}`)
}

const op = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  global: 0x63,
  reduce: 0x52,
  emptyTuple: 0x29,
  tuple: 0x74,
  tuple1: 0x85,
  tuple2: 0x86,
  tuple3: 0x87,
  unicode: 0x58,
  int: 0x4a,
  int1: 0x4b,
  int2: 0x4d,
  long1: 0x8a,
  false: 0x89,
  persistentId: 0x51,
  setItems: 0x75,
  put: 0x71,
  get: 0x68,
} as const

class StateDictPickler {
  private readonly writer = new ByteWriter()
  private readonly encoder = new TextEncoder()
  /** Globals by name: their place in the memo. */
  private readonly memo = new Map<string, number>()

  pickle(tensors: readonly PickledTensor[]): Uint8Array {
    this.writer.u8(op.proto).u8(2)
    this.orderedDict()
    if (tensors.length > 0) {
      this.writer.u8(op.mark)
      for (const tensor of tensors) this.item(tensor)
      this.writer.u8(op.setItems)
    }
    return this.writer.u8(op.stop).finish()
  }

  private orderedDict(): void {
    this.global('collections', 'OrderedDict')
    this.writer.u8(op.emptyTuple).u8(op.reduce)
  }

  /** `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`; `_v3` has the dtype behind. */
  private item(tensor: PickledTensor): void {
    const dtype = untyped.get(tensor.dtype)
    const dimensions = tensor.shape.length
    if (dimensions > mostDimensions) {
      const name = JSON.stringify(tensor.name)
      throw new CkptError(
        'refused',
        `${name} has ${dimensions} dimensions, and a tensor of torch's at most ${mostDimensions}`,
      )
    }
    this.text(tensor.name)
    this.global('torch._utils', dtype === undefined ? '_rebuild_tensor_v2' : '_rebuild_tensor_v3')
    this.writer.u8(op.mark)
    this.storage(tensor)
    this.integer(0)
    this.integers(tensor.shape)
    this.integers(stridesOf(tensor.shape))
    this.writer.u8(op.false)
    this.orderedDict()
    if (dtype !== undefined) this.global('torch', dtype)
    this.writer.u8(op.tuple).u8(op.reduce)
  }

  /** ('storage', class, key, 'cpu', count of elements). */
  private storage({ name, dtype, bytes, storage }: PickledTensor): void {
    const [typed, itemSize = 1] = storageClasses.get(dtype) ?? []
    if (typed === undefined && !untyped.has(dtype)) {
      throw noTorchDtype(name, dtype)
    }
    this.writer.u8(op.mark)
    this.text('storage')
    this.global(typed === undefined ? 'torch.storage' : 'torch', typed ?? 'UntypedStorage')
    this.text(storage)
    this.text('cpu')
    this.integer(bytes / itemSize)
    this.writer.u8(op.tuple).u8(op.persistentId)
  }

  private global(module: string, name: string): void {
    const text = `${module}\n${name}\n`
    const known = this.memo.get(text)
    if (known !== undefined) {
      this.writer.u8(op.get).u8(known)
      return
    }
    const memoIndex = this.memo.size
    this.memo.set(text, memoIndex)
    this.writer.u8(op.global).put(this.encoder.encode(text)).u8(op.put).u8(memoIndex)
  }

  private text(text: string): void {
    const bytes = this.encoder.encode(text)
    this.writer.u8(op.unicode).u32(bytes.length).put(bytes)
  }

  private integers(values: Shape): void {
    if (values.length === 0) {
      this.writer.u8(op.emptyTuple)
      return
    }
    if (values.length > 3) this.writer.u8(op.mark)
    for (const value of values) this.integer(value)
    this.writer.u8([op.tuple1, op.tuple2, op.tuple3][values.length - 1] ?? op.tuple)
  }

  private integer(value: number | bigint): void {
    if (value < 0x100) this.writer.u8(op.int1).u8(Number(value))
    else if (value < 0x10000) this.writer.u8(op.int2).u16(Number(value))
    else if (value < 2 ** 31) this.writer.u8(op.int).u32(Number(value))
    else if (value < 2n ** 63n) this.writer.u8(op.long1).u8(8).u64(value)
    else throw new CkptError('refused', `torch has no dimension of ${value.toString()}`)
  }
}

/** Of elements that lie row by row; torch counts an axis without elements as one. */
function stridesOf(shape: Shape): Shape {
  const strides: (number | bigint)[] = []
  let stride = 1n
  for (const length of [...shape].reverse()) {
    strides.push(stride < 2n ** 53n ? Number(stride) : stride)
    if (length > 1) stride *= BigInt(length)
  }
  return strides.reverse()
}
