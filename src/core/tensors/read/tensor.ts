/** What every tensor format is read as. Reading one touches its header only; data comes as extents or streams of bytes. */
import { CkptError, FormatError } from '../../errors.js'
import type { PyValue } from '../../formats/python/value.js'
import type { Shape } from '../../formats/safetensors/safetensors.js'
import type { Extent, TensorData } from './extent.js'
import type { FileParts } from './file-parts.js'
import type { TorchStructure } from './torch-structure.js'

export type { Shape } from '../../formats/safetensors/safetensors.js'
export {
  chunksOf,
  ensureSame,
  firstOf,
  isExtent,
  joinParts,
  readExactly,
  type Extent,
  type TensorData,
  type TensorPart,
} from './extent.js'

/** One tensor of a file, without its values. */
export interface TensorInfo {
  /** Unique within the file. */
  readonly name: string
  /** By safetensors' name where it has one (see `isDtype`), else by torch's: `complex128`, `qint8`. */
  readonly dtype: string
  /** A dimension beyond 2^53 is a bigint; only a tensor without elements can have one. */
  readonly shape: Shape
  /** Bytes of all elements, row-major, without gaps. */
  readonly bytes: number
  /** The first tensor that lies in the same storage (tied weights, views); absent when no other one does. */
  readonly shared?: string
  /** Its values are those of `shared`, says a note of the file: it has no bytes of its own. */
  readonly noted?: true
  /** What a module keeps beside its state_dict: a buffer that is not saved, a plain attribute. */
  readonly beside?: true
}

/** An open file of tensors. It holds its file open, so that a rename over its path changes nothing. Close it. */
export interface TensorFile {
  /** Id of the format: `safetensors`, `torch`, `torch-legacy`, `torch-dcp`, `torch-zero`, `sharded`. */
  readonly format: string
  /** Of a sharded file, that of its shards. */
  readonly shardFormat?: string | undefined
  /** Absolute. */
  readonly path: string
  /** Bytes of the file, or of all files that it is made of. */
  readonly byteLength: number
  /** What the format keeps beside the tensors as text, by key. */
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their data, or of the names in the saved object; names are unique. */
  readonly tensors: readonly TensorInfo[]
  /** What lies beside the tensors, their structure kept; null where the format has nothing beside them. */
  readonly values: PyValue
  /** What is odd about the file, and no damage: a name given twice. */
  readonly findings: readonly string[]
  /** Tensors that have no bytes of their own, by name: sparse ones, whose parts are listed, and those without values. */
  readonly composites?: ReadonlyMap<string, string>
  /** What loading the file with Python would run, and no checkpoint needs. Nothing of it is run here. */
  readonly unsafe: readonly string[]
  /** Classes and functions that a pickle names and that are kept as names only, with how often they are called. */
  readonly opaque: ReadonlyMap<string, number>
  /** True where the tensors lie in an object of torch that is more than one state_dict: `structure` gives it. */
  readonly isNested?: boolean
  /** Of a file of torch: the saved object, read anew. */
  structure?(): Promise<TorchStructure>
  /** Where in it the weights lie; absent where a file of this format holds tensors and nothing else. */
  readonly parts?: FileParts
  /**
   * What stands before the first tensor in a safetensors file with these tensors in this order. Throws CkptError
   * `refused` when safetensors cannot hold them.
   */
  head(): Extent | Uint8Array
  /**
   * Where a tensor's values lie and how they are read, as a text: what has the same is the same parameter. Undefined
   * for what has no values.
   */
  locationOf?(tensor: TensorInfo): string | undefined
  /** A tensor's elements, row-major and little-endian. The tensor is one of this file's. */
  dataOf(tensor: TensorInfo): Promise<TensorData>
  /** Throws CkptError when the file is not what it was when it was opened. */
  ensureUnchanged(): Promise<void>
  /** Lets go of the file; nothing can be read afterwards. */
  close(): Promise<void>
}

/** What torch wrote, in one file or in shards. */
export function isOfTorch({ format, shardFormat = format }: Pick<TensorFile, 'format' | 'shardFormat'>): boolean {
  return shardFormat.startsWith('torch')
}

/** Throws FormatError for a file that would run code when Python loads it. */
export function ensureSafe({ path, unsafe }: Pick<TensorFile, 'path' | 'unsafe'>): void {
  if (unsafe.length === 0) return
  throw new FormatError(unsafe.map((what) => `${path}: ${what}`).join('\n'), {
    hint: 'do not load it with torch.load, and ask where it comes from; to see what is in it: ckpt tensors FILE --json',
  })
}

/**
 * Throws CkptError `refused` for a file with tensors that have no form but their own: sparse ones, or some without
 * values. Their parts by themselves would be something else under their names.
 */
export function ensureDense({ path, composites = new Map() }: TensorFile, isWanted: (name: string) => boolean): void {
  const found = [...composites].filter(([name]) => isWanted(name))
  if (found.length === 0) return
  const [first] = found
  const more = found.length === 1 ? '' : `, and ${found.length - 1} more like it`
  throw new CkptError('refused', `${path}: ${JSON.stringify(first?.[0])} is ${first?.[1]}${more}`, {
    hint: 'only tensors that have all their values in the file can be written',
  })
}

/** A shape for JSON, whose readers would round a dimension beyond 2^53: that one is text. */
export function plainShape(shape: Shape): (number | string)[] {
  return shape.map((dim) => (typeof dim === 'number' ? dim : dim.toString()))
}
