/** The same tensors in another format. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import {
  metadataLike,
  writeAsIs,
  writeCast,
  withFormat,
  writeOutput,
  type OutputFormat,
  type OutputStructure,
  type OutputTensor,
  type Sink,
  type WriteOptions,
  type WrittenOutput,
} from '../write/index.js'
import type { Storage } from '../../storage/storage.js'
import { noLosses } from '../read/cast-losses.js'
import { canCast } from '../read/cast.js'
import { isFloatDtype } from '../read/dtype-name.js'
import { preferName } from '../read/kept-name.js'
import { quantisedIn, tellSpared } from '../read/quantised.js'
import { ensureDense, isOfTorch, type TensorFile, type TensorInfo } from '../read/tensor.js'
import { tiedGroups } from '../read/ties.js'
import { weightsOf, type LeftOut, type Weights } from '../read/weights.js'
import { structureWith } from './keys-beside.js'
import { plainStructureOf } from './plain-structure.js'

export interface ConvertOptions {
  /** The part of the file: see `weightsOf`; its weights when left out. */
  readonly part?: string | undefined
  /** Of the model's own names; all when left out. */
  readonly isWanted?: (name: string) => boolean
  /** From the model's own names to those that are written. */
  readonly rename?: (name: string) => string
  /**
   * The dtype that a tensor is to have; undefined for its own. Asked by the names that are written, and not for what is
   * quantised: codes, and the scales and tables that belong to them, keep theirs.
   */
  readonly dtypeFor?: (name: string) => Dtype | undefined
  /** Of torch: keys that stay beside the part, which is then under its own; left out: the part by itself. */
  readonly keysBeside?: readonly string[] | undefined
  /** Put into the metadata of safetensors. */
  readonly metadata?: ReadonlyMap<string, string>
  /** Gives other values to a tensor; undefined where it keeps its own. Asked by the model's own names. */
  readonly change?: (tensor: TensorInfo) => ChangedTensor | undefined
}

/** Values that come out of a tensor's own, in its shape. */
export interface ChangedTensor {
  /** In the dtype that is written. */
  readonly writeTo: (dtype: Dtype, sink: Sink) => Promise<void>
}

export interface Conversion {
  readonly file: TensorFile
  readonly format: OutputFormat
  readonly tensors: readonly OutputTensor[]
  readonly metadata: ReadonlyMap<string, string>
  /** Of torch: the object that holds them, where it is more than one state_dict. */
  readonly structure?: OutputStructure | undefined
  /** The part of the file that was taken, by its keys; empty for all of it. */
  readonly part: string
  /** Names that are left out because another one stands for the very same values. */
  readonly tied: readonly { readonly name: string; readonly kept: string }[]
  /** Tensors of the file that are left out, beside its weights. */
  readonly leftOut: readonly string[]
  /** What else it has beside them, by its keys. */
  readonly dropped: readonly LeftOut[]
  /** Tensors that are written in another dtype. */
  readonly cast: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  /** For people: what the other format cannot hold. */
  readonly notes: readonly string[]
}

/**
 * The weights of a file, by the model's own names (see `weightsOf`). To safetensors as its own converter does
 * (safetensors: bindings/python/convert.py, py_src/safetensors/torch.py): tied weights once with a note in the
 * metadata, the order that its writer gives. Views that are not the whole of one another are written each by itself,
 * where that converter refuses or drops them. To torch, tied weights lie in one storage. Throws CkptError: `refused`
 * for a dtype that the format lacks, for sparse tensors and those without values, and for a file without tensors that
 * holds other things; `usage` for two tensors that come to one name.
 */
export async function planConversion(
  given: TensorFile,
  format: OutputFormat,
  options: ConvertOptions = {},
): Promise<Conversion> {
  const weights = weightsOf(given, options.part)
  const { file } = weights
  const { isWanted = () => true, rename = (name: string) => name } = options
  ensureDense(file, () => true)
  if (given.tensors.length === 0 && hasValues(given)) {
    throw new CkptError('refused', `${given.path}: holds no tensors`, { hint: `see what it holds: ckpt tensors FILE` })
  }
  const named = renameAll(file, isWanted, rename)
  if (named.length === 0 && file.tensors.length > 0) {
    throw new CkptError('refused', `${given.path}: no tensor is left to be written`, {
      hint: 'see what it holds: ckpt tensors FILE',
    })
  }
  const { dtypeFor, notes } = dtypesFor(file, named, options)
  const ties = tiesAnew(file, named, dtypeFor)
  const tensors = named.map(([name, tensor]) =>
    outputOf(file, name, tensor, ties.get(name), dtypeFor(name), options.change?.(tensor)),
  )
  const common = {
    file,
    format,
    part: weights.path,
    tied: [...ties].map(([name, kept]) => ({ name, kept })),
    leftOut: weights.leftOutNames,
    dropped: weights.leftOut,
    cast: castsOf(named, tensors),
  }
  if (format === 'safetensors') {
    const form = asSafetensors(weights, tensors, options)
    return { ...common, ...form, notes: [...form.notes, ...notes] }
  }
  const isAsItWas = options.isWanted === undefined && options.rename === undefined && options.change === undefined
  const form = await asTorch(weights, tensors, isAsItWas, options)
  return { ...common, ...form, notes: [...form.notes, ...notes] }
}

/** Writes it to `path` (absolute). Throws as `writeOutput` does. */
export function convert(
  storage: Storage,
  { file, format, tensors, metadata, structure }: Conversion,
  path: string,
  options: WriteOptions & { readonly shardSize?: number | undefined } = {},
): Promise<WrittenOutput> {
  const { shardSize, ...work } = options
  const output = { path, format, tensors, metadata, shardSize, structure }
  return writeOutput(storage, output, { ...work, verify: () => file.ensureUnchanged() })
}

type Named = readonly [name: string, tensor: TensorInfo]

function renameAll(
  { tensors }: TensorFile,
  isWanted: (name: string) => boolean,
  rename: (name: string) => string,
): Named[] {
  const origins = new Map<string, string>()
  return tensors
    .filter(({ name }) => isWanted(name))
    .map((tensor): Named => {
      const name = rename(tensor.name)
      const other = origins.get(name)
      if (other !== undefined) {
        const both = `${JSON.stringify(other)} and ${JSON.stringify(tensor.name)}`
        throw new CkptError('usage', `${both} both come to the name ${JSON.stringify(name)}`, {
          hint: 'leave one of them out with --exclude',
        })
      }
      origins.set(name, tensor.name)
      return [name, tensor]
    })
}

type Form = Pick<Conversion, 'tensors' | 'metadata' | 'notes'>

function asSafetensors(
  { file, whole }: Weights,
  tensors: readonly OutputTensor[],
  { metadata = new Map() }: ConvertOptions,
): Form {
  return {
    tensors: [...tensors].sort((a, b) => rankOf(b.dtype) - rankOf(a.dtype) || compareBytes(a.name, b.name)),
    metadata: withFormat(new Map([...metadataLike(file), ...metadata])),
    notes: hasValues(whole) ? [`${beside}: safetensors cannot hold it`] : [],
  }
}

async function asTorch(
  weights: Weights,
  tensors: readonly OutputTensor[],
  isAsItWas: boolean,
  { metadata = new Map(), keysBeside }: ConvertOptions,
): Promise<Form & Pick<Conversion, 'structure'> & Partial<Pick<Conversion, 'dropped'>>> {
  const { file } = weights
  if (metadata.size > 0) {
    throw new CkptError('usage', `--metadata ${[...metadata.keys()].join(', ')}: a file of torch has no place for it`)
  }
  const lost = isOfTorch(file) ? [] : [...metadataLike(file).keys()].filter((key) => key !== 'format')
  const around = isAsItWas && keysBeside !== undefined ? await structureWith(weights, keysBeside) : null
  if (around !== null) {
    const dropped = weights.leftOut.filter(({ path }) => keysBeside?.includes(path) !== true)
    return { tensors, structure: around, metadata: new Map(), notes: [], dropped }
  }
  const plain = isAsItWas ? await plainStructureOf(weights) : null
  const isLost = plain === null ? hasValues(file) || weights.leftOut.length > 0 : plain.dropped > 0
  return {
    tensors,
    structure: plain?.structure,
    metadata: new Map(),
    notes: [
      ...(lost.length === 0 ? [] : [`the metadata is left out, which torch has no place for: ${lost.join(', ')}`]),
      ...(isLost ? [plain === null ? `${beside}: what is written is one state_dict` : notPlain(plain.dropped)] : []),
    ],
  }
}

const beside = 'what lies beside the tensors (numbers, texts) is left out'

function notPlain(count: number): string {
  const what = count === 1 ? 'one value that is not plain data is' : `${count} values that are not plain data are`
  return `${what} left out, so that torch.load reads the file with weights_only=True`
}

/** A plain state_dict has nothing beside its tensors. */
function hasValues({ values }: TensorFile): boolean {
  if (values === null || typeof values !== 'object') return values !== null
  return 'size' in values && typeof values.size === 'number' ? values.size > 0 : true
}

interface Dtypes {
  readonly dtypeFor: (name: string) => Dtype | undefined
  readonly notes: readonly string[]
}

/** What is quantised is never cast, also by a pattern: a loader takes its codes and scales in their own dtypes. */
function dtypesFor(
  { tensors }: TensorFile,
  named: readonly Named[],
  { dtypeFor = () => undefined }: ConvertOptions,
): Dtypes {
  const asked = named.filter(([name, { dtype }]) => isFloatDtype(dtype) && (dtypeFor(name) ?? dtype) !== dtype)
  const quantised = quantisedIn(asked.length === 0 ? [] : tensors)
  const spared = new Set(asked.filter(([, { name }]) => quantised.has(name)).map(([name]) => name))
  return {
    dtypeFor: (name) => (spared.has(name) ? undefined : dtypeFor(name)),
    notes: tellSpared([...spared]),
  }
}

/** The name that a model's loader looks for stands for all, also where the file itself keeps another one. */
function tiesAnew(
  file: TensorFile,
  named: readonly Named[],
  dtypeFor: (name: string) => Dtype | undefined,
): Map<string, string> {
  const newNames = new Map(named.map(([name, tensor]) => [tensor, name]))
  const ties = new Map<string, string>()
  for (const group of tiedGroups(file, [...newNames.keys()])) {
    const names = group.map((tensor) => newNames.get(tensor) ?? tensor.name)
    const kept = preferName(names)
    for (const name of names) if (name !== kept && dtypeFor(name) === dtypeFor(kept)) ties.set(name, kept)
  }
  return ties
}

function outputOf(
  file: TensorFile,
  name: string,
  tensor: TensorInfo,
  tiedTo: string | undefined,
  asked: Dtype | undefined,
  changed: ChangedTensor | undefined,
): OutputTensor {
  const from = dtypeOf(file, tensor)
  const wanted = isFloatDtype(from) ? asked : undefined
  const dtype = wanted !== undefined && canCast(from, wanted) ? wanted : from
  const bytes = ((tensor.bytes * 8) / bitsOf[from] / 8) * bitsOf[dtype]
  const losses = noLosses()
  const writeTo = async (sink: Sink): Promise<void> => {
    if (changed !== undefined) return changed.writeTo(dtype, sink)
    const data = await file.dataOf(tensor)
    await (from === dtype ? writeAsIs(data, sink) : writeCast(data, from, dtype, sink, losses))
  }
  const output = { name, dtype, shape: tensor.shape, bytes, writeTo }
  const cast = from === dtype || changed !== undefined ? output : { ...output, cast: { from, losses } }
  return tiedTo === undefined ? cast : { ...cast, tiedTo }
}

function dtypeOf({ path }: TensorFile, { name, dtype }: TensorInfo): Dtype {
  if (isDtype(dtype)) return dtype
  throw new CkptError('refused', `${path}: ${JSON.stringify(name)} is ${dtype}, which cannot be written`, {
    hint: 'only dtypes that safetensors has can: cast it first, or leave it out',
  })
}

function castsOf(named: readonly Named[], tensors: readonly OutputTensor[]): Conversion['cast'] {
  return named.flatMap(([name, { dtype: from }], index) => {
    const to = tensors[index]?.dtype ?? from
    return from === to ? [] : [{ name, from, to }]
  })
}

const ranks = Object.keys(bitsOf)

/** safetensors' writer puts the dtypes of larger alignment first (safetensors: safetensors/src/tensor.rs, `prepare`). */
function rankOf(dtype: Dtype): number {
  return ranks.indexOf(dtype)
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
