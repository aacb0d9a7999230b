/**
 * The single numbers among a TensorFlow checkpoint's variables: its step, its epoch, and what a script keeps of its
 * metrics. The index says where they lie, and how long the data files must be.
 */
import { sep } from 'node:path'
import type { Finding, MetaValue } from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import { elementTypes } from '../../../formats/bytes/elements.js'
import { dataFileOf, readBundle, type Bundle, type BundleTensor } from '../../../formats/tensorflow/bundle.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { countsIn } from '../engine/count-names.js'
import { findingOf } from '../folders.js'
import type { Unit } from '../spec.js'

export interface Variables {
  readonly facts: ReadonlyMap<string, MetaValue>
  readonly findings: readonly Finding[]
  /** True where nothing in it is an optimizer's, and nothing counts; undefined where that could not be read. */
  readonly isModelAlone?: boolean
}

/** Numbers that a checkpoint tells; a model may keep thousands of single ones that are not facts of it. */
const mostNumbers = 100

/** Everything that is wrong with the index, or with the lengths of its data files, becomes a finding. */
export async function readVariables(storage: ReadStorage, { path, entries }: Unit): Promise<Variables> {
  const index = `${path}.index`
  const name = index.slice(index.lastIndexOf(sep) + 1)
  if (!entries.some((entry) => entry.name === name)) return { facts: new Map(), findings: [] }
  try {
    const bundle = await withFile(storage, index, async (handle) => readBundle(sourceOf(handle)))
    const findings = await findShort(storage, path, bundle)
    const isModelAlone = bundle.tensors.every(({ name: variable, shape }) => isOfModel(variable, shape))
    const facts = findings.length > 0 ? new Map<string, MetaValue>() : await readNumbers(storage, path, bundle)
    return { facts, findings, isModelAlone }
  } catch (error) {
    const finding = explain(error, name)
    return { facts: new Map(), findings: finding === null ? [] : [finding] }
  }
}

/**
 * Not an optimizer's, by its name or its slots', and no number that a script keeps to count by. Keras writes those of a
 * model by its attributes, a Saver by its scopes, with the slot behind.
 */
function isOfModel(name: string, shape: readonly number[]): boolean {
  if (/(?:^|\/)\w*(?:opt|optimi[sz]er)\w*\/|\.OPTIMIZER_SLOT|(?:^|\/)beta[12]_power/i.test(name)) return false
  if (/\/(?:Adam|Momentum|RMSProp|Adagrad|Adadelta|Ftrl)\w*$/.test(name)) return false
  const own = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name
  return shape.length > 0 || own.includes('/') || own === 'save_counter' || own.startsWith('_')
}

function explain(error: unknown, file: string): Finding | null {
  if (error instanceof FormatError) return { grade: 'corrupt', file, reason: error.message }
  if (error instanceof StorageError) return findingOf(error, file)
  throw error
}

/** Data files that end before the last of their tensors does. The names show which is not there. */
async function findShort(storage: ReadStorage, prefix: string, { shards, tensors }: Bundle): Promise<Finding[]> {
  const needed = new Map<number, number>()
  for (const { part, slices } of tensors) {
    for (const { shard, offset, size } of part === null ? slices : [part]) {
      needed.set(shard, Math.max(needed.get(shard) ?? 0, offset + size))
    }
  }
  const paths = [...needed.keys()].map((shard) => dataFileOf(prefix, shard, shards))
  const stats = await storage.stat(paths)
  return [...needed.values()].flatMap((length, at): Finding[] => {
    const [stat, file = ''] = [stats[at], paths[at]?.slice(prefix.lastIndexOf(sep) + 1)]
    if (stat?.ok !== true || stat.value.kind !== 'file' || stat.value.size >= length) return []
    return [
      {
        grade: 'corrupt',
        file,
        reason: `ends early: ${stat.value.size} of at least ${length} bytes, as its .index says`,
      },
    ]
  })
}

async function readNumbers(storage: ReadStorage, prefix: string, bundle: Bundle): Promise<Variables['facts']> {
  const found = new Map<string, MetaValue>()
  const wanted = bundle.tensors.flatMap((tensor) => {
    const fact = factOf(tensor)
    return fact === null || tensor.part === null ? [] : [{ fact, part: tensor.part, dtype: tensor.dtype.name }]
  })
  const shards = new Set(wanted.slice(0, mostNumbers).map(({ part }) => part.shard))
  for (const shard of shards) {
    await withFile(storage, dataFileOf(prefix, shard, bundle.shards), async (handle) => {
      const source = sourceOf(handle)
      for (const { fact, part, dtype } of wanted.slice(0, mostNumbers)) {
        const type = elementTypes.get(dtypeNames.get(dtype) ?? '')
        if (part.shard !== shard || type?.size !== part.size) continue
        const bytes = await source.read(part.offset, part.size)
        if (bytes.length < part.size) continue
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        const value = type.read(view, 0, bundle.littleEndian)
        if (typeof value === 'number' || typeof value === 'bigint') found.set(fact, Number(value))
      }
    })
  }
  return withSteps(found)
}

/** Of single numbers that a script may keep, by the names of the index. */
const dtypeNames: ReadonlyMap<string, string> = new Map([
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F32', 'float32'],
  ['F64', 'float64'],
  ['I8', 'int8'],
  ['I16', 'int16'],
  ['I32', 'int32'],
  ['I64', 'int64'],
  ['U8', 'uint8'],
  ['U16', 'uint16'],
  ['U32', 'uint32'],
  ['U64', 'uint64'],
])

const suffix = '/.ATTRIBUTES/VARIABLE_VALUE'

/**
 * A variable right in the checkpoint by its own name; of an optimizer, how often it stepped; `#save`, which save it is,
 * which tells nothing else of the training (tensorflow/python/checkpoint/checkpoint.py). Null for any other.
 */
function factOf({ name, shape, slices }: BundleTensor): string | null {
  if (shape.length > 0 || slices.length > 0) return null
  const own = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name
  if (/^(?:opt|optimizer)\w*\/(?:_iterations|iter)$/.test(own)) return iterations
  if (own === 'save_counter') return '#save'
  return own.includes('/') || own.startsWith('_') ? null : own
}

const iterations = '#iterations'

function withSteps(found: ReadonlyMap<string, MetaValue>): ReadonlyMap<string, MetaValue> {
  const facts = new Map([...found, ...countsIn(found)])
  const done = facts.get(iterations)
  facts.delete(iterations)
  if (!facts.has('step') && typeof done === 'number' && done > 0) facts.set('step', done)
  return facts
}
