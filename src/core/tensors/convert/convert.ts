/** The same tensors in another format. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype, type Dtype } from '../../formats/safetensors.js'
import {
  metadataLike,
  pourAsIs,
  writeOutput,
  type OutputFormat,
  type OutputTensor,
  type Sink,
  type WriteOptions,
  type WrittenOutput,
} from '../write/index.js'
import type { Storage } from '../../storage/storage.js'
import { ensureDense, isExtent, isOfTorch, type TensorFile, type TensorInfo } from '../read/tensor.js'

export interface Conversion {
  readonly file: TensorFile
  readonly format: OutputFormat
  readonly tensors: readonly OutputTensor[]
  readonly metadata: ReadonlyMap<string, string>
  /** Names that are left out because another one stands for the very same values. */
  readonly tied: readonly { readonly name: string; readonly kept: string }[]
  /** Tensors that are left out: what a file keeps beside its `state_dict`. */
  readonly leftOut: readonly string[]
  /** For people: what the other format cannot hold. */
  readonly notes: readonly string[]
}

/**
 * To safetensors as its own converter does (safetensors: bindings/python/convert.py, py_src/safetensors/torch.py): of
 * a file with a `state_dict` that alone, tied weights once with a note in the metadata, the order that its writer
 * gives. Views that are not the whole of one another are written each by itself, where that converter refuses or drops
 * them. To torch, tied weights lie in one storage. Throws CkptError `refused` for a dtype that the format lacks, for
 * sparse tensors and those without values, and for a file without tensors that holds other things.
 */
export async function planConversion(file: TensorFile, format: OutputFormat): Promise<Conversion> {
  const isPart = format === 'safetensors' && isWrappedIn(file)
  ensureDense(file, (name) => !isPart || name.startsWith(wrapper))
  if (file.tensors.length === 0 && hasValues(file)) {
    throw new CkptError('refused', `${file.path}: holds no tensors`, { hint: `See what it holds: ckpt tensors FILE` })
  }
  return format === 'safetensors' ? toSafetensors(file) : toTorch(file)
}

/** Writes it to `path` (absolute). Throws as `writeOutput` does. */
export function convert(
  storage: Storage,
  { file, format, tensors, metadata }: Conversion,
  path: string,
  options: WriteOptions & { readonly shardSize?: number | undefined } = {},
): Promise<WrittenOutput> {
  const { shardSize, ...work } = options
  const output = { path, format, tensors, metadata, shardSize }
  return writeOutput(storage, output, { ...work, verify: () => file.ensureUnchanged() })
}

const wrapper = 'state_dict.'

function isWrappedIn(file: TensorFile): boolean {
  return isOfTorch(file) && file.tensors.some(({ name }) => name.startsWith(wrapper))
}

async function toSafetensors(file: TensorFile): Promise<Conversion> {
  const isWrapped = isWrappedIn(file)
  const wanted = isWrapped ? file.tensors.filter(({ name }) => name.startsWith(wrapper)) : file.tensors
  const named = wanted.map((tensor) => [isWrapped ? tensor.name.slice(wrapper.length) : tensor.name, tensor] as const)
  const groups = await groupTied(file, named)
  const tied = groups.flatMap(([kept, ...others]) => others.map(([name]) => ({ name, kept: kept?.[0] ?? '' })))
  const tensors = groups.flatMap(([kept]) => (kept === undefined ? [] : [outputOf(file, kept[0], kept[1])]))
  return {
    file,
    format: 'safetensors',
    tensors: tensors.sort((a, b) => rankOf(b.dtype) - rankOf(a.dtype) || compareBytes(a.name, b.name)),
    metadata: new Map([...metadataLike(file), ...tied.map(({ name, kept }) => [name, kept] as const)]),
    tied,
    leftOut: isWrapped ? file.tensors.filter((one) => !wanted.includes(one)).map(({ name }) => name) : [],
    notes: hasValues(file) ? [`${beside}: safetensors cannot hold it`] : [],
  }
}

const beside = 'what lies beside the tensors (numbers, texts) is left out'

/** A plain state_dict has nothing beside its tensors. */
function hasValues({ values }: TensorFile): boolean {
  if (values === null || typeof values !== 'object') return values !== null
  return 'size' in values && typeof values.size === 'number' ? values.size > 0 : true
}

type Named = readonly [name: string, tensor: TensorInfo]

/** Those that are the very same bytes in the same form, the one to keep first: the first in order. */
async function groupTied(file: TensorFile, named: readonly Named[]): Promise<Named[][]> {
  const groups = new Map<string, Named[]>()
  for (const one of named) {
    const [name, tensor] = one
    const key = (await placeOf(file, tensor)) ?? `alone ${name}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()].map((group) => group.sort(([a], [b]) => compareBytes(a, b)))
}

/** Undefined for what has no place of its own in the file, and for what no other tensor shares. */
async function placeOf(file: TensorFile, tensor: TensorInfo): Promise<string | undefined> {
  if (tensor.shared === undefined || tensor.bytes === 0) return undefined
  const data = await file.dataOf(tensor)
  return isExtent(data) ? `${data.handle.path} ${data.position} ${tensor.dtype} ${tensor.shape.join()}` : undefined
}

async function toTorch(file: TensorFile): Promise<Conversion> {
  const known = new Map(file.tensors.map((tensor) => [tensor.name, tensor]))
  const tied = new Map<string, string>()
  for (const group of await groupTied(file, [...known])) {
    for (const [name] of group.slice(1)) tied.set(name, group[0]?.[0] ?? '')
  }
  const tensors = [...known].map(([name, tensor]) => outputOf(file, name, tensor, tied.get(name)))
  // Names that safetensors' converter left out of tied weights, and noted in the metadata, come back.
  for (const [name, kept] of file.metadata) {
    const tensor = known.get(kept)
    if (known.has(name) || tensor === undefined) continue
    tensors.push(outputOf(file, name, tensor, kept))
    tied.set(name, kept)
  }
  const lost = isOfTorch(file) ? [] : [...file.metadata.keys()].filter((key) => key !== 'format' && !tied.has(key))
  return {
    file,
    format: 'torch',
    tensors,
    metadata: new Map(),
    tied: [...tied].map(([name, kept]) => ({ name, kept })),
    leftOut: [],
    notes: [
      ...(lost.length === 0 ? [] : [`the metadata is left out, which torch has no place for: ${lost.join(', ')}`]),
      ...(hasValues(file) ? [`${beside}: what is written is one state_dict, with the names that are listed`] : []),
    ],
  }
}

function outputOf(file: TensorFile, name: string, tensor: TensorInfo, tiedTo?: string): OutputTensor {
  const { dtype, shape, bytes } = tensor
  if (!isDtype(dtype)) {
    throw new CkptError('refused', `${file.path}: ${JSON.stringify(name)} is ${dtype}, which cannot be written`, {
      hint: 'only dtypes that safetensors has can: cast it first, or leave it out',
    })
  }
  const pour = async (sink: Sink): Promise<void> => pourAsIs(await file.dataOf(tensor), sink)
  const common = { name, dtype, shape, bytes, pour }
  return tiedTo === undefined ? common : { ...common, tiedTo }
}

const ranks = Object.keys(bitsOf)

/** safetensors' writer puts the dtypes of larger alignment first (safetensors: safetensors/src/tensor.rs, `prepare`). */
function rankOf(dtype: Dtype): number {
  return ranks.indexOf(dtype)
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
