/**
 * The step, the epoch and the metrics that a script saved with torch.distributed.checkpoint beside the model: numbers, or
 * tensors of one element, each a file of torch.save within a `.distcp`, where `.metadata` says.
 */
import { dirname, join } from 'node:path'
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import type { ByteSource } from '../../../formats/bytes/byte-source.js'
import { readDcpMetadata, type DcpBlob, type DcpMetadata } from '../../../formats/torch/dcp-metadata.js'
import { openTorchObject } from '../../../formats/torch/object.js'
import { groupBy } from '../../../grouped.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import { countNames, countsIn, noMetrics } from '../engine/count-names.js'
import type { FileLook, LayoutIo, Unit } from '../spec.js'
import { directionOf } from '../../meta/index.js'
import { resumeKeysIn } from './dcp-keys.js'
import { byteText } from '../../../formats/text/text.js'

/** Bytes: of a large model it tells of some hundred thousand pieces. */
const largestMetadata = 64 << 20
/** Bytes: a number is saved in about 1,200. */
const largestNumber = 1 << 14
/** Entries that are looked into. */
const mostNumbers = 16

/** Of `.metadata`: whether anything but the model was saved, and the counts and metrics that were. Throws FormatError, StorageError. */
export async function countsOfDcp(look: FileLook, _: Unit, __: Meta, io: LayoutIo): Promise<Meta> {
  const bytes = await look.bytes(largestMetadata)
  const resumable = resumeKeysIn(new Map([['text', byteText(bytes)]]))
  try {
    const numbers = await readNumbers(io, dirname(look.path), numbersOf(readDcpMetadata(bytes)).slice(0, mostNumbers))
    const metrics = [...numbers].filter(([name]) => !countNames.has(name))
    return new Map([...resumable, ...metrics, ...countsIn(numbers)])
  } catch (error) {
    // Health reports what is wrong with the files.
    if (error instanceof FormatError || error instanceof StorageError) return resumable
    throw error
  }
}

interface NumberEntry {
  readonly name: string
  readonly blob: DcpBlob
}

/** Counts that one of the usual names leads to, and metrics, the shortest way first; an optimizer counts its own steps. */
function numbersOf({ objects, tensors, paths }: DcpMetadata): NumberEntry[] {
  const single = tensors.flatMap(({ name, shape, chunks }) =>
    chunks.length === 1 && shape.every((size) => size === 1) ? [{ name, blob: chunks[0]?.blob }] : [],
  )
  const isTensor = new Set(single.map(({ name }) => name))
  return [...objects, ...single]
    .flatMap(({ name, blob }) => {
      const path = paths.get(name) ?? name.split('.')
      const last = path.at(-1) ?? ''
      const isOwn = blob !== undefined && blob.length <= largestNumber && blob.transforms.length === 0
      const isWanted = countNames.has(last) || isMetric(path, isTensor.has(name))
      if (!isOwn || !isWanted || path.some((part) => othersCount.test(part))) return []
      return [{ name: last, blob, depth: path.length }]
    })
    .toSorted((a, b) => a.depth - b.depth)
}

/** At the top, or in `metrics`; a tensor at the top may be a parameter of the model. */
function isMetric(path: readonly string[], isTensor: boolean): boolean {
  const [first = '', last = first] = path
  if (noMetrics.test(last)) return false
  if (path.length === 2) return first === 'metrics'
  return path.length === 1 && (!isTensor || directionOf(first) !== undefined)
}

const othersCount = /optim|param_groups|sched|loader|sampler|scaler/i

/** By name, the first of each; every file is opened once. */
async function readNumbers(
  { storage }: LayoutIo,
  folder: string,
  entries: readonly NumberEntry[],
): Promise<ReadonlyMap<string, MetaValue>> {
  const values = new Map<NumberEntry, number | undefined>()
  for (const [file, within] of groupBy(entries, ({ blob }) => blob.file)) {
    await withFile(storage, join(folder, file), async (handle) => {
      for (const entry of within) values.set(entry, await numberIn(sourceOf(handle), entry.blob))
    })
  }
  const numbers = new Map<string, MetaValue>()
  for (const entry of entries) {
    const value = values.get(entry)
    if (value !== undefined && !numbers.has(entry.name)) numbers.set(entry.name, value)
  }
  return numbers
}

async function numberIn(source: ByteSource, blob: DcpBlob): Promise<number | undefined> {
  if (blob.offset + blob.length > source.byteLength) return undefined
  const object = await openTorchObject({
    byteLength: blob.length,
    read: async (position, length) => source.read(blob.offset + position, length),
  })
  return object?.numberOf(object.root)
}
