/** The mean of several files of tensors, one chunk of one tensor at a time in memory. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import {
  keepsSurroundings,
  metadataLike,
  writeAsIs,
  structureOf,
  withFormat,
  writeOutput,
  type OutputFormat,
  type OutputTensor,
  type Sink,
  type WriteOptions,
  type WrittenOutput,
} from '../write/index.js'
import type { Storage } from '../../storage/storage.js'
import { canCast } from '../read/cast.js'
import { noLosses } from '../read/cast-losses.js'
import { isFloatDtype } from '../read/dtype-name.js'
import { ensureNotQuantised } from '../read/quantised.js'
import { readerOf, type TensorReader } from '../read/reader.js'
import { ensureDense, type TensorFile, type TensorInfo } from '../read/tensor.js'
import type { Ties } from '../read/ties.js'
import { weightsOf, type LeftOut } from '../read/weights.js'
import { createAccumulator, type Accumulator, type Precision } from './kernel.js'
import { formsOf, tiesInAll, type Form } from './one-form.js'

export interface AverageOptions {
  /** The part of each file: see `weightsOf`; its weights when left out. */
  readonly part?: string | undefined
  /** float32 when left out; float64 tensors are always summed in float64. */
  readonly accumulate?: Precision
  /** One for each file; all alike when left out. */
  readonly weights?: readonly number[] | undefined
  /** Of the names of the model's own; all when left out. */
  readonly isWanted?: (name: string) => boolean
}

export interface AveragePlan {
  /** The weights of each, in the order of their sum. */
  readonly files: readonly TensorFile[]
  /** Those of the newest: integers and booleans are taken from it, and what a file of torch has around its weights. */
  readonly newest: TensorFile
  /** What each file has under each name. */
  readonly forms: readonly Form[]
  /** Further names of a parameter, in all files. */
  readonly ties: Ties
  /** Keys of the newest that are not among its weights. */
  readonly leftOut: readonly LeftOut[]
  readonly weights: readonly number[] | undefined
  readonly accumulate: Precision
  /** The first file's, in its order. */
  readonly averaged: readonly TensorInfo[]
  readonly taken: readonly TensorInfo[]
  /** Of the averaged, those that have another dtype in some file: the mean has the first file's. */
  readonly recast: readonly TensorInfo[]
}

/**
 * Throws CkptError: `usage` for weights that are not one for each file or come to nothing, `refused` for a name or a
 * shape that is not in all files, for dtypes that have no mean, and for quantised weights.
 */
export function planAverage(
  given: readonly TensorFile[],
  newestGiven: TensorFile,
  options: AverageOptions = {},
): AveragePlan {
  const { weights, accumulate = 'float32', isWanted = () => true, part } = options
  if (given.length === 0) throw new CkptError('usage', 'there is nothing to average')
  checkWeights(given, weights)
  const views = new Map(given.map((file) => [file, weightsOf(file, part)]))
  const files = given.map((file) => views.get(file)?.file ?? file)
  const newest = views.get(newestGiven) ?? weightsOf(newestGiven, part)
  for (const file of files) {
    ensureDense(file, isWanted)
    ensureNotQuantised(file.path, file.tensors, isWanted)
  }
  const forms = formsOf(files).map((form) => new Map([...form].filter(([name]) => isWanted(name))))
  const [first = new Map<string, TensorInfo>()] = forms
  for (const [index, form] of forms.entries()) {
    const reasons = differences(files[0]?.path ?? '', first, files[index]?.path ?? '', form)
    if (reasons.length > 0) throw notAlike(reasons)
  }
  if (first.size === 0) throw new CkptError('refused', `${files[0]?.path ?? ''}: no tensor to average`)
  for (const file of files) ensureHaveMeans(file, new Set(first.keys()))
  const tensors = [...first].map(([name, tensor]) => ({ ...tensor, name }))
  const isRecast = ({ name, dtype }: TensorInfo) => forms.some((form) => form.get(name)?.dtype !== dtype)
  return {
    files,
    newest: newest.file,
    leftOut: newest.leftOut,
    forms,
    ties: tiesInAll(files, forms),
    weights,
    accumulate,
    averaged: tensors.filter(({ dtype }) => isFloat(dtype)),
    taken: tensors.filter(({ dtype }) => !isFloat(dtype)),
    recast: tensors.filter((tensor) => isFloat(tensor.dtype) && isRecast(tensor)),
  }
}

/** torch has no arithmetic below a byte, nor has ckpt. */
function ensureHaveMeans({ path, tensors }: TensorFile, wanted: ReadonlySet<string>): void {
  for (const { name, dtype } of tensors) {
    if (!wanted.has(name) || !isFloat(dtype) || canCast(dtype, 'F32')) continue
    throw new CkptError('refused', `${path}: ${shown(name)} is ${dtype}, of which no mean can be taken`, {
      hint: 'choose what is averaged with --include and --exclude',
    })
  }
}

function checkWeights(files: readonly TensorFile[], weights: readonly number[] | undefined): void {
  if (weights === undefined) return
  if (weights.length !== files.length) {
    throw new CkptError('usage', `--weights: ${counted(weights.length, 'weight')} for ${counted(files.length, 'file')}`)
  }
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (!(Number.isFinite(sum) && sum !== 0)) throw new CkptError('usage', `the weights come to ${sum}`)
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function isFloat(dtype: string): boolean {
  return isFloatDtype(dtype) || dtype === 'C64'
}

function differences(path: string, ours: Form, otherPath: string, theirs: Form): string[] {
  return [
    ...[...ours].flatMap(([name, tensor]) => {
      const other = theirs.get(name)
      if (other === undefined) return [`${shown(name)} is in ${path}, not in ${otherPath}`]
      const isSame = sameShape(tensor, other) && isFloat(tensor.dtype) === isFloat(other.dtype)
      return isSame ? [] : [`${shown(name)} is ${form(tensor)} in ${path}, ${form(other)} in ${otherPath}`]
    }),
    ...[...theirs.keys()].flatMap((name) =>
      ours.has(name) ? [] : [`${shown(name)} is in ${otherPath}, not in ${path}`],
    ),
  ]
}

function sameShape(one: TensorInfo, other: TensorInfo): boolean {
  return one.shape.length === other.shape.length && one.shape.every((length, axis) => length === other.shape[axis])
}

function notAlike(reasons: readonly string[]): CkptError {
  const most = 5
  const more = reasons.length > most ? [`and ${reasons.length - most} more`] : []
  return new CkptError(
    'refused',
    ['the files do not hold the same tensors:', ...reasons.slice(0, most), ...more].join('\n  '),
    {
      hint: 'choose what is averaged with --include and --exclude',
    },
  )
}

function form({ dtype, shape }: TensorInfo): string {
  return `${dtype} [${shape.slice(0, 12).join(', ')}${shape.length > 12 ? ', …' : ''}]`
}

function shown(name: string): string {
  const text = name.length > 120 ? `${name.slice(0, 120)}…` : name
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text)
}

export interface AverageOutput {
  /** Absolute. */
  readonly path: string
  readonly format: OutputFormat
  readonly shardSize?: number | undefined
  /** A file of torch holds one state_dict, and not what the newest has around its weights. */
  readonly weightsOnly?: boolean
}

export interface AverageWork extends Omit<WriteOptions, 'verify'> {
  /** Called for each tensor whose mean has elements that are NaN, with their count. */
  readonly onNaN?: (name: string, count: number) => void
}

/** Writes the means. Throws as `writeOutput` does, and CkptError `damaged` when a file changed meanwhile. */
export async function average(
  storage: Storage,
  plan: AveragePlan,
  { weightsOnly = false, ...output }: AverageOutput,
  { onNaN, ...options }: AverageWork = {},
): Promise<WrittenOutput> {
  const [first] = plan.files
  const keepsStructure =
    output.format === 'torch' &&
    output.shardSize === undefined &&
    !weightsOnly &&
    keepsSurroundings(output.path, plan.newest)
  return writeOutput(
    storage,
    {
      ...output,
      tensors: outputTensors(plan, onNaN),
      metadata: withFormat(first === undefined ? new Map<string, string>() : metadataLike(first)),
      structure: keepsStructure ? await structureOf(plan.newest) : undefined,
    },
    {
      ...options,
      verify: async () => {
        for (const file of plan.files) await file.ensureUnchanged()
      },
    },
  )
}

/** In the order of the first file. */
function outputTensors(plan: AveragePlan, onNaN: AverageWork['onNaN']): OutputTensor[] {
  const { averaged, taken, newest, ties, forms, files } = plan
  const work = new Means(plan, onNaN)
  const own = forms[files.indexOf(newest)] ?? new Map<string, TensorInfo>()
  const means = averaged.map((tensor) => work.meanOf(tensor))
  const others = taken.map((tensor) => takenFrom(newest, tensor.name, own.get(tensor.name) ?? tensor))
  const byName = new Map([...means, ...others].map((tensor) => [tensor.name, tensor]))
  return [...(forms[0]?.keys() ?? [])].flatMap((name): OutputTensor[] => {
    const tensor = byName.get(name)
    if (tensor === undefined) return []
    const tiedTo = ties.get(name)
    return [tiedTo === undefined ? tensor : { ...tensor, tiedTo }]
  })
}

/** Bytes of each file in memory. */
const chunkBytes = 1 << 20
/** The most bytes that an element has. */
const widest = 8

/** Elements summed at once. */
const stride = chunkBytes / widest

/** The means of a plan's tensors; buffers are made once. */
class Means {
  private readonly sides: readonly Side[]
  private readonly accumulators = new Map<Dtype, Accumulator>()
  private readonly divisor: number

  constructor(
    private readonly plan: AveragePlan,
    private readonly onNaN: AverageWork['onNaN'],
  ) {
    this.sides = plan.files.map((file, index) => ({
      file,
      tensors: plan.forms[index] ?? new Map<string, TensorInfo>(),
      buffer: new Uint8Array(chunkBytes),
      weight: plan.weights?.[index] ?? 1,
    }))
    this.divisor = this.sides.reduce((sum, { weight }) => sum + weight, 0)
  }

  meanOf(tensor: TensorInfo): OutputTensor {
    const { name, shape, bytes } = tensor
    const dtype = dtypeOf(tensor)
    const from = this.otherDtype(tensor, dtype)
    if (from === undefined) {
      return {
        name,
        dtype,
        shape,
        bytes,
        writeTo: (sink) => this.writeTo(tensor, dtype, this.accumulatorFor(dtype), sink),
      }
    }
    const losses = noLosses()
    const writeTo = (sink: Sink): Promise<void> =>
      this.writeTo(tensor, dtype, createAccumulator(dtype, this.plan.accumulate, stride, losses), sink)
    return { name, dtype, shape, bytes, writeTo, cast: { from, losses } }
  }

  /** The dtype that another file has it in. */
  private otherDtype({ name }: TensorInfo, dtype: Dtype): Dtype | undefined {
    const other = this.sides.find(({ tensors }) => tensors.get(name)?.dtype !== dtype)?.tensors.get(name)
    return other === undefined ? undefined : dtypeOf(other)
  }

  private async writeTo(tensor: TensorInfo, dtype: Dtype, accumulator: Accumulator, sink: Sink): Promise<void> {
    const open = await Promise.all(this.sides.map((side) => openSide(side, tensor)))
    const elements = (tensor.bytes * 8) / bitsOf[dtype]
    let notNumbers = 0
    try {
      for (let done = 0; done < elements; done += stride) {
        const count = Math.min(stride, elements - done)
        for (const [index, { reader, from, weight }] of open.entries()) {
          const bytes = await reader.take((count * bitsOf[from]) / 8)
          if (index === 0) accumulator.start(bytes, from, weight)
          else accumulator.add(bytes, from, weight)
        }
        const { bytes, nan } = accumulator.divide(this.divisor)
        notNumbers += nan
        await sink.write(bytes)
      }
      if (notNumbers > 0) this.onNaN?.(tensor.name, notNumbers)
    } finally {
      for (const { reader } of open) await reader.close()
    }
  }

  private accumulatorFor(dtype: Dtype): Accumulator {
    const known = this.accumulators.get(dtype) ?? createAccumulator(dtype, this.plan.accumulate, stride)
    this.accumulators.set(dtype, known)
    return known
  }
}

interface Side {
  readonly file: TensorFile
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly buffer: Uint8Array
  readonly weight: number
}

interface OpenSide {
  readonly reader: TensorReader
  readonly from: Dtype
  readonly weight: number
}

async function openSide({ file, tensors, buffer, weight }: Side, { name }: TensorInfo): Promise<OpenSide> {
  const own = tensors.get(name)
  if (own === undefined) throw new RangeError(`${file.path} has no tensor ${name}`)
  return { reader: readerOf(await file.dataOf(own), buffer), from: dtypeOf(own), weight }
}

function takenFrom(file: TensorFile, name: string, tensor: TensorInfo): OutputTensor {
  const { shape, bytes } = tensor
  return {
    name,
    dtype: dtypeOf(tensor),
    shape,
    bytes,
    writeTo: async (sink) => writeAsIs(await file.dataOf(tensor), sink),
  }
}

function dtypeOf({ name, dtype }: TensorInfo): Dtype {
  if (isDtype(dtype)) return dtype
  throw new CkptError('refused', `${shown(name)} is ${dtype}, which cannot be written`)
}
