/**
 * PEFT's LoRA adapters, merged into the weights that they were trained upon: W + scaling * B A (peft/tuners/lora/layer.py,
 * `get_delta_weight`; names: peft/utils/save_and_load.py).
 */
import { CkptError, FormatError } from '../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../formats/text/json.js'
import { isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import { createCast } from '../read/cast.js'
import { isFloatDtype } from '../read/dtype-name.js'
import { scaleOf } from '../read/quantised.js'
import { readerOf } from '../read/reader.js'
import { chunksOf, type TensorFile, type TensorInfo } from '../read/tensor.js'
import { tiedGroups } from '../read/ties.js'
import { writeAsIs, writeCast } from '../write/index.js'
import type { ChangedTensor } from './convert.js'
import { orientations, type Orientation } from './lora-orientation.js'

export interface LoraMerge {
  /** For `ConvertOptions.change`. */
  readonly change: (tensor: TensorInfo) => ChangedTensor | undefined
  /** Names of the tensors that come out changed, and of those that the adapter has in full. */
  readonly merged: readonly string[]
  readonly replaced: readonly string[]
}

/**
 * `base` are the weights by the model's own names, `config` is `adapter_config.json`. Both files stay open until the
 * conversion is done. Throws CkptError `refused` for DoRA and other kinds of adapters, and where the adapter has what
 * the weights have no place for.
 */
export async function planLora(base: TensorFile, adapter: TensorFile, config: JsonObject): Promise<LoraMerge> {
  refuseOthers(adapter, config)
  const alphaOf = await alphasOf(adapter, config)
  const names = new Set(base.tensors.map(({ name }) => name))
  const byName = new Map(base.tensors.map((tensor) => [tensor.name, tensor]))
  const changes = new Map<string, ChangedTensor>()
  const { pairs, whole } = sortNames(adapter, (name) => findName(names, name) !== undefined)
  const targetOf = (name: string): TensorInfo => {
    const found = byName.get(findName(names, name) ?? '')
    if (found !== undefined) return ensureFloats(base, adapter, found, names)
    throw refused(adapter, `it changes ${JSON.stringify(name)}, which ${base.path} does not have`)
  }
  const inFull = new Map<string, TensorInfo>()
  for (const [name, tensor] of whole) {
    const target = targetOf(name)
    if (target.shape.join() !== tensor.shape.join()) {
      throw refused(
        adapter,
        `its ${JSON.stringify(name)} is [${tensor.shape.join(', ')}], and [${target.shape.join(', ')}] in ${base.path}`,
      )
    }
    inFull.set(target.name, tensor)
    changes.set(target.name, replacement(adapter, tensor))
  }
  const merged: string[] = []
  const aimed = [...pairs].map(([module, pair]) => ({ module, pair, target: targetOf(`${module}.weight`) }))
  const targets = new Map(aimed.map(({ module, target }) => [module, target]))
  const isFlipped = flippedModules(base, adapter, pairs, targets, config)
  for (const { module, pair, target } of aimed) {
    const own = inFull.get(target.name)
    const sides = sidesOf(adapter, module, pair, target, isFlipped(module), scalingOf(alphaOf(module), pair, config))
    // Of an embedding the adapter can have the weights themselves too.
    changes.set(
      target.name,
      own === undefined ? mergedTensor(base, target, adapter, sides) : mergedTensor(adapter, own, adapter, sides),
    )
    merged.push(target.name)
  }
  const replaced = [...inFull.keys()].filter((name) => !merged.includes(name))
  // What is tied is one parameter: it changes under all of its names.
  for (const group of tiedGroups(base)) {
    refuseUntying(base, adapter, group, new Set(replaced))
    const changed = group.flatMap(({ name }) => changes.get(name) ?? [])[0]
    if (changed !== undefined) for (const { name } of group) changes.set(name, changed)
  }
  return { change: ({ name }) => changes.get(name), merged, replaced }
}

/** To codes nothing can be added: PEFT brings them to floats first. */
function ensureFloats(
  base: TensorFile,
  adapter: TensorFile,
  target: TensorInfo,
  names: ReadonlySet<string>,
): TensorInfo {
  const scale = scaleOf(target, names)
  if (scale === undefined && isFloatDtype(target.dtype)) return target
  const what = scale === undefined ? '' : ` codes, to be multiplied by ${JSON.stringify(scale)}`
  throw refused(adapter, `${JSON.stringify(target.name)} of ${base.path} is ${target.dtype}${what}, and no floats`)
}

/** PEFT copies a module that is saved in full, and so unties it: the merged model has two parameters in place of one. */
function refuseUntying(
  base: TensorFile,
  adapter: TensorFile,
  group: readonly TensorInfo[],
  replaced: ReadonlySet<string>,
): void {
  const own = group.find(({ name }) => replaced.has(name))
  const other = group.find(({ name }) => !replaced.has(name))
  if (own === undefined || other === undefined) return
  const [name, tied] = [JSON.stringify(own.name), JSON.stringify(other.name)]
  throw refused(adapter, `it has ${name} in full, which is tied to ${tied} in ${base.path}, and would be no more`)
}

function refused({ path }: TensorFile, why: string): CkptError {
  return new CkptError('refused', `${path}: this adapter cannot be merged: ${why}`, {
    hint: 'merge it where it was trained, with merge_and_unload of peft, and save the model',
  })
}

function refuseOthers(adapter: TensorFile, config: JsonObject): void {
  const kind = config.get('peft_type')
  if (kind !== 'LORA')
    throw refused(adapter, `it is of ${typeof kind === 'string' ? `the kind ${kind}` : 'an unknown kind'}, not LORA`)
  const magnitude = adapter.tensors.find(({ name }) => name.includes('lora_magnitude_vector'))
  if (config.get('use_dora') === true || magnitude !== undefined) throw refused(adapter, 'it is one of DoRA')
  if (config.get('lora_bias') === true) throw refused(adapter, 'it has biases of its own (lora_bias)')
  const start = config.get('init_lora_weights')
  if (typeof start === 'string' && changesBase.test(start)) {
    throw refused(adapter, `it began with ${JSON.stringify(start)}, which changes the weights that it is trained upon`)
  }
  for (const other of [
    'use_qalora',
    'use_bdlora',
    'layer_replication',
    'alora_invocation_tokens',
    'arrow_config',
    'kasa_config',
    'monteclora_config',
    'trainable_token_indices',
    'target_parameters',
  ]) {
    const value = config.get(other)
    const isSet = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== false
    if (isSet) throw refused(adapter, `it uses ${other}`)
  }
}

/**
 * Beginnings that take from the weights what the adapter has, or quantise them: peft does so again when it loads such an
 * adapter (peft/tuners/lora/layer.py, `pissa_init` and those beside it). Converted to plain LoRA, it says `true`.
 */
const changesBase = /^(?:pissa|olora|corda|loftq|lora_ga)/i

interface Pair {
  down?: TensorInfo
  up?: TensorInfo
  isEmbedding: boolean
}

const outProjection = '.base_layer.out_proj'
const wrapped = /^base_model\.model\./
const loraName = /^(.+)\.lora_(embedding_)?([AB])(?:\.(?:[^.]+\.)?weight|\.[^.]+)?$/

/**
 * The two sides of each module, and what the adapter has in full (modules_to_save, biases). With `bias="all"` peft saves
 * the biases of a module that is saved in full three times: by its name, by `modules_to_save`, which is the same, and as
 * `original_module`, in whose place that one is merged.
 */
function sortNames(
  adapter: TensorFile,
  isThere: (name: string) => boolean,
): {
  readonly pairs: ReadonlyMap<string, Pair>
  readonly whole: readonly (readonly [name: string, tensor: TensorInfo])[]
} {
  const pairs = new Map<string, Pair>()
  const whole: (readonly [string, TensorInfo])[] = []
  for (const tensor of adapter.tensors) {
    const name = tensor.name.replace(wrapped, '')
    const [, module, embedding, side] = loraName.exec(name) ?? []
    if (module === undefined) {
      if (name.includes('lora_')) throw refused(adapter, `it has ${JSON.stringify(tensor.name)}, which is not known`)
      if (name.includes('.original_module.')) continue
      const own = name.replace(/\.(?:modules_to_save|base_layer)(?=\.)/g, '')
      // The name of the adapter may follow.
      const withoutAdapter = name.replace(/\.(?:modules_to_save\.[^.]+|base_layer)(?=\.)/g, '')
      whole.push([isThere(own) ? own : withoutAdapter, tensor])
      continue
    }
    if (module.endsWith(outProjection)) {
      const attention = JSON.stringify(module.slice(0, -outProjection.length))
      throw refused(
        adapter,
        `it changes ${attention}, torch's MultiheadAttention, whose out_proj peft changes twice over`,
      )
    }
    const plain = module.replace(/\.base_layer$/, '')
    const pair = pairs.get(plain) ?? { isEmbedding: embedding !== undefined }
    pair[side === 'A' ? 'down' : 'up'] = tensor
    pairs.set(plain, pair)
  }
  if (pairs.size === 0) throw refused(adapter, 'it has no tensors of LoRA')
  return { pairs, whole }
}

/** The same name; or the only one that ends so or that it ends with, as where one file has the model without its head. */
function findName(names: ReadonlySet<string>, wanted: string): string | undefined {
  if (names.has(wanted)) return wanted
  const found = [...names].filter((name) => wanted.endsWith(`.${name}`) || name.endsWith(`.${wanted}`))
  return found.length === 1 ? found[0] : undefined
}

/** Rows and columns of what is added: left [rows, rank] times right [rank, columns], times `scaling`. */
interface Sides {
  readonly left: Matrix
  readonly right: Matrix
  readonly rank: number
  readonly rows: number
  readonly columns: number
  readonly scaling: number
  /** What is added is rounded to the dtype of the weights first: peft does so for embeddings alone. */
  readonly roundsChange: boolean
}

interface Matrix {
  readonly tensor: TensorInfo
  /** It lies the other way round in its file. */
  readonly isTransposed: boolean
}

/** Rank, and the rows and columns of the product of both sides, up times down. */
interface Form {
  readonly rank: number
  readonly rows: number
  readonly columns: number
}

function formOf({ down, up }: Pair): Form | null {
  if (down === undefined || up === undefined) return null
  const rank = Number(down.shape[0] ?? 0)
  const form = { rank, rows: Number(up.shape[0] ?? 0), columns: countOf(down) / rank }
  return countOf(up) === form.rows * rank ? form : null
}

/** As torch has the weights of linear layers and convolutions. */
function fitsPlain({ rows, columns }: Form, shape: readonly number[]): boolean {
  return shape[0] === rows && shape.slice(1).reduce((product, size) => product * size, 1) === columns
}

/** As transformers' Conv1D and embeddings have them. */
function fitsFlipped({ rows, columns }: Form, shape: readonly number[]): boolean {
  return shape.length === 2 && shape[0] === columns && shape[1] === rows
}

/**
 * For each module whether its weights are the product the other way round. What the form of one does not tell is told by
 * those beside it; else by the config, unless another module shows that it does not hold for all. The answer throws
 * CkptError `refused` where it stays open.
 */
function flippedModules(
  base: TensorFile,
  adapter: TensorFile,
  pairs: ReadonlyMap<string, Pair>,
  targets: ReadonlyMap<string, TensorInfo>,
  config: JsonObject,
): (module: string) => boolean {
  const ways = new Map<string, Orientation | 'either'>()
  const known = new Map<string, Orientation>()
  for (const [module, pair] of pairs) {
    const form = formOf(pair)
    const target = targets.get(module)
    if (form === null || target === undefined || pair.isEmbedding) continue
    const shape = target.shape.map(Number)
    const isFlat = shape.length === 2
    const [plain, flipped] = [fitsPlain(form, shape), isFlat && fitsFlipped(form, shape)]
    if (plain && flipped) ways.set(module, 'either')
    else {
      ways.set(module, flipped ? 'in-out' : 'out-in')
      if (isFlat) known.set(weightless(target.name), flipped ? 'in-out' : 'out-in')
    }
  }
  const orientationOf = orientations(base, known)
  const inConfig: Orientation = config.get('fan_in_fan_out') === true ? 'in-out' : 'out-in'
  const isMixed = [...known.values()].some((one) => one !== inConfig)
  return (module) => {
    const way = ways.get(module)
    if (way === undefined) return pairs.get(module)?.isEmbedding === true
    const target = targets.get(module)
    const found = way !== 'either' ? way : orientationOf(weightless(target?.name ?? module))
    if (found === undefined && isMixed) {
      throw refused(
        adapter,
        `nothing tells whether ${JSON.stringify(module)} is a Conv1D, whose weights lie the other way`,
      )
    }
    return (found ?? inConfig) === 'in-out'
  }
}

function weightless(name: string): string {
  return name.replace(/\.weight$/, '')
}

function sidesOf(
  adapter: TensorFile,
  module: string,
  pair: Pair,
  target: TensorInfo,
  isFlipped: boolean,
  scaling: number,
): Sides {
  const { down, up, isEmbedding } = pair
  if (down === undefined || up === undefined)
    throw refused(adapter, `${JSON.stringify(module)} has one of its two sides only`)
  const form = formOf(pair)
  const shape = target.shape.map(Number)
  if (form === null || !(isFlipped ? fitsFlipped(form, shape) : fitsPlain(form, shape))) {
    const forms = `[${down.shape.join(', ')}] and [${up.shape.join(', ')}]`
    throw refused(adapter, `${JSON.stringify(module)} has sides of ${forms} for weights of [${shape.join(', ')}]`)
  }
  const { rank, rows, columns } = form
  const sides = { rank, scaling, roundsChange: isEmbedding }
  const side = (tensor: TensorInfo): Matrix => ({ tensor, isTransposed: isFlipped })
  return isFlipped
    ? { ...sides, left: side(down), right: side(up), rows: columns, columns: rows }
    : { ...sides, left: side(up), right: side(down), rows, columns }
}

function countOf({ shape }: TensorInfo): number {
  return shape.reduce<number>((product, size) => product * Number(size), 1)
}

function scalingOf(alpha: number | undefined, { down }: Pair, config: JsonObject): number {
  const rank = Number(down?.shape[0] ?? 1)
  return (alpha ?? rank) / (config.get('use_rslora') === true ? Math.sqrt(rank) : rank)
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
}

/**
 * The alpha of each module: that of the first pattern that it ends with, as a regular expression (peft/utils/other.py,
 * `get_pattern_key`), else the one of all. Throws CkptError `refused` for an expression that cannot be read.
 */
async function alphasOf(adapter: TensorFile, config: JsonObject): Promise<(module: string) => number | undefined> {
  const patterns = config.get('alpha_pattern')
  const all = numberOf(config.get('lora_alpha'))
  if (!isJsonObject(patterns) || patterns.size === 0) return () => all
  const { RE2JS } = await import('re2js')
  const compiled = [...patterns].map(([key, value]) => {
    try {
      return { matches: RE2JS.compile(`(?:.*\\.)?(?:${key})`), alpha: numberOf(value) }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw refused(adapter, `its alpha_pattern has ${JSON.stringify(key)}, which cannot be read: ${why}`)
    }
  })
  return (module) => compiled.find(({ matches }) => matches.matches(module))?.alpha ?? all
}

function replacement(adapter: TensorFile, tensor: TensorInfo): ChangedTensor {
  const from = dtypeOf(adapter, tensor)
  return {
    writeTo: async (dtype, sink) => {
      const data = await adapter.dataOf(tensor)
      await (from === dtype ? writeAsIs(data, sink) : writeCast(data, from, dtype, sink))
    },
  }
}

function dtypeOf({ path }: TensorFile, { name, dtype }: TensorInfo): Dtype {
  if (isDtype(dtype)) return dtype
  throw new FormatError(`${path}: ${JSON.stringify(name)} is ${dtype}, which cannot be merged`, { code: 'refused' })
}

/** Elements that are added to at a time, rows of them where a row is longer. */
const stride = 1 << 16

/** In the arithmetic of torch on a processor: see `addRow`. The sum is rounded to the dtype of the weights once. */
function mergedTensor(base: TensorFile, target: TensorInfo, adapter: TensorFile, sides: Sides): ChangedTensor {
  const from = dtypeOf(base, target)
  const wide: Dtype = from === 'F64' ? 'F64' : 'F32'
  return {
    writeTo: async (dtype, sink) => {
      const left = await valuesOf(adapter, sides.left, sides.rows, sides.rank)
      const right = await valuesOf(adapter, sides.right, sides.rank, sides.columns)
      const { columns } = sides
      const change = wide === 'F64' ? new Float64Array(columns) : new Float32Array(columns)
      const rowsAtOnce = Math.max(1, Math.floor(stride / columns))
      const most = rowsAtOnce * columns
      const data = await base.dataOf(target)
      const itemSize = data.length / (sides.rows * columns)
      const reader = readerOf(data, new Uint8Array(Math.min(data.length, most * itemSize)))
      const casts = {
        decode: createCast(from, wide, most),
        round: createCast(wide, from, most),
        encode: createCast(from, dtype, most),
        narrow: createCast(wide, from, columns),
        widen: createCast(from, wide, columns),
      }
      try {
        for (let row = 0; row < sides.rows; row += rowsAtOnce) {
          const rows = Math.min(rowsAtOnce, sides.rows - row)
          const bytes = casts.decode(await reader.take(rows * columns * itemSize))
          const values = numbersIn(bytes, wide)
          for (let one = 0; one < rows; one += 1) {
            changeOf(change, left, row + one, right, sides, wide)
            if (sides.roundsChange && from !== wide)
              change.set(numbersIn(casts.widen(casts.narrow(bytesIn(change))), wide))
            for (let at = 0; at < columns; at += 1) {
              values[one * columns + at] = (values[one * columns + at] ?? 0) + (change[at] ?? 0)
            }
          }
          await sink.write(casts.encode(casts.round(bytes)))
        }
      } finally {
        await reader.close()
      }
    },
  }
}

function numbersIn(
  { buffer, byteOffset, byteLength }: Uint8Array,
  dtype: 'F32' | 'F64' | Dtype,
): Float32Array | Float64Array {
  return dtype === 'F64'
    ? new Float64Array(buffer, byteOffset, byteLength / 8)
    : new Float32Array(buffer, byteOffset, byteLength / 4)
}

function bytesIn({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/**
 * One row of the product, times the scaling. As matrix libraries sum so few terms: one after another, each product
 * exact and each sum rounded to float32 (a fused multiply-add); then the scaling, a float32 as well. With torch 2.13 on
 * x86-64 that is equal to the bit.
 */
function changeOf(
  into: Float32Array | Float64Array,
  left: Float64Array,
  row: number,
  right: Float64Array,
  { rank, columns, scaling }: Sides,
  wide: Dtype,
): void {
  const factor = wide === 'F64' ? scaling : Math.fround(scaling)
  // Term by term for the whole row: each sum is rounded where it is stored, and memory is read as it lies.
  into.fill(0)
  for (let index = 0; index < rank; index += 1) {
    const weight = left[row * rank + index] ?? 0
    const start = index * columns
    for (let column = 0; column < columns; column += 1) {
      into[column] = (into[column] ?? 0) + weight * (right[start + column] ?? 0)
    }
  }
  for (let column = 0; column < columns; column += 1) into[column] = (into[column] ?? 0) * factor
}

/** Of a matrix in the adapter, row-major: they are small, and held whole. */
async function valuesOf(
  adapter: TensorFile,
  { tensor, isTransposed }: Matrix,
  rows: number,
  columns: number,
): Promise<Float64Array> {
  const from = dtypeOf(adapter, tensor)
  const most = 1 << 16
  const cast = createCast(from, 'F64', most)
  const values = new Float64Array(rows * columns)
  let done = 0
  const data = await adapter.dataOf(tensor)
  const itemSize = data.length / values.length
  for await (const chunk of chunksOf(data, most * itemSize)) {
    const doubles = cast(chunk)
    values.set(new Float64Array(doubles.buffer, doubles.byteOffset, doubles.length / 8), done)
    done += doubles.length / 8
  }
  if (!isTransposed) return values
  const turned = new Float64Array(values.length)
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1)
      turned[row * columns + column] = values[column * rows + row] ?? 0
  }
  return turned
}
