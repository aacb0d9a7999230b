/** The index of a sharded model, held against the files beside it. */
import type { Finding } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { isBeside, largestIndex, readWeightMap } from '../../formats/safetensors/weight-map.js'
import type { PyValue } from '../../formats/python/value.js'
import { findingOf, type MeasuredFile } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { openTensors } from '../../tensors/read/index.js'
import { SummedFindings } from './summed-findings.js'

const vanished = 'vanished while it was looked at'
/** Missing tensors that a finding names. */
const mostNamed = 3

/** Weights, and indexes of weights, as transformers and diffusers name them; a variant is `fp16` and the like. */
const formName =
  /^(?:model|pytorch_model|diffusion_pytorch_model|tf_model|flax_model)(?:\.(?<before>\w+))?\.(?<format>safetensors|bin|h5|msgpack)(?:\.index(?:\.(?<within>\w+))?\.json)?$/
/** In the order in which from_pretrained looks for them (transformers, modeling_utils.py). */
const formats = ['safetensors', 'bin', 'h5', 'msgpack']

/** How early a loader looks for the form of this file, and which variant it is. Null for any other name. */
function formOf(name: string): { readonly place: number; readonly variant: string } | null {
  const { before, format, within } = formName.exec(name)?.groups ?? {}
  if (format === undefined) return null
  return { place: formats.indexOf(format), variant: before ?? within ?? '' }
}

/** What is there beside the index. */
export class Shards {
  /** Files of the checkpoint by name (relative, with `/`). */
  readonly files: ReadonlyMap<string, MeasuredFile>

  /** `tensors` are the names of those in files whose header was read. */
  constructor(
    private readonly storage: ReadStorage,
    files: readonly MeasuredFile[],
    private readonly tensors: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    this.files = new Map(files.map((file) => [file.name, file]))
  }

  /**
   * True where none of the `named` files is beside the index, and a form is that the framework's loader takes before
   * its own: of a model that a hub has in two forms, the index of the one that was not fetched. A whole file of its own
   * form is no such thing: some loaders go by the index then.
   */
  isOfAnotherForm(index: string, named: readonly string[]): boolean {
    const folder = index.slice(0, index.lastIndexOf('/') + 1)
    const own = formOf(index.slice(folder.length))
    if (own === null || named.some((name) => !isBeside(name) || this.files.has(folder + name))) return false
    return [...this.files.keys()].some((name) => {
      const other = name.startsWith(folder) ? formOf(name.slice(folder.length)) : null
      return other !== null && other.variant === own.variant && other.place < own.place
    })
  }

  /** Names that an index may give to it. Null where it cannot be read as a file of tensors, which is reported for the file itself. */
  async namesIn({ name, path, stat }: MeasuredFile): Promise<ReadonlySet<string> | null> {
    const known = this.tensors.get(name)
    if (known !== undefined) return known
    if (stat?.kind !== 'file' || name.endsWith('.safetensors')) return null
    try {
      const file = await openTensors(this.storage, path)
      await file.close()
      const names = file.tensors.map((tensor) => tensor.name)
      const groups = file.format === 'hdf5' ? names.map(groupOf) : []
      return new Set([...names, ...groups, ...keysOf(file.values)])
    } catch (error) {
      if (error instanceof FormatError || error instanceof StorageError) return null
      throw error
    }
  }
}

/** As Keras' index names it: `/layers/dense/vars` of `layers/dense/vars/0`. */
function groupOf(dataset: string): string {
  return `/${dataset.slice(0, Math.max(0, dataset.lastIndexOf('/')))}`
}

/** Keys of the saved dict: an index names whatever stands under one, also sparse tensors and what is not a tensor. */
function keysOf(values: PyValue): string[] {
  if (typeof values !== 'object' || values === null || !('pairs' in values)) return []
  return values.pairs.flatMap(([key]) => (typeof key === 'string' ? [key] : []))
}

/** Holds one index against the files beside it: names of shards and, where their headers were read, of tensors. */
export async function inspectIndex(storage: ReadStorage, index: MeasuredFile, shards: Shards): Promise<Finding[]> {
  const [text] = await storage.read([index.path], largestIndex)
  if (text === undefined) return []
  if (!text.ok) return [findingOf(text.error, index.name) ?? { grade: 'partial', file: index.name, reason: vanished }]
  try {
    return await compare(index.name, readWeightMap(text.value).shards, shards)
  } catch (error) {
    if (error instanceof FormatError) return [{ grade: 'corrupt', file: index.name, reason: error.message }]
    throw error
  }
}

async function compare(index: string, map: ReadonlyMap<string, readonly string[]>, shards: Shards): Promise<Finding[]> {
  if (map.size === 0) return [{ grade: 'corrupt', file: index, reason: 'names no tensor' }]
  const folder = index.slice(0, index.lastIndexOf('/') + 1)
  if (shards.isOfAnotherForm(index, [...map.keys()])) return []
  const findings = new SummedFindings(index, kinds)
  for (const [shard, tensors] of map) {
    if (!isBeside(shard)) {
      findings.add('elsewhere', () => {
        return {
          grade: 'corrupt',
          file: index,
          reason: `names ${JSON.stringify(shard)}, which is not a file beside it`,
        }
      })
      continue
    }
    const file = shards.files.get(folder + shard)
    if (file === undefined) {
      findings.add('absent', () => absentShard(index, folder + shard, tensors.length))
      continue
    }
    const here = await shards.namesIn(file)
    const absent = here === null ? [] : tensors.filter((tensor) => !here.has(tensor))
    if (absent.length > 0) findings.add('lacking', () => absentTensors(index, shard, absent))
  }
  return findings.summedUp()
}

const kinds = {
  elsewhere: { grade: 'corrupt', what: 'do not lie beside it' },
  absent: { grade: 'partial', what: 'are not there' },
  lacking: { grade: 'partial', what: 'lack tensors' },
} as const

function absentShard(index: string, file: string, tensors: number): Finding {
  const what = tensors === 1 ? '1 tensor' : `${tensors} tensors`
  return { grade: 'partial', file, reason: `not there, though ${index} names it for ${what}` }
}

function absentTensors(index: string, shard: string, absent: readonly string[]): Finding {
  const named = absent.slice(0, mostNamed).map((name) => JSON.stringify(name))
  const more = absent.length > mostNamed ? ` and ${absent.length - mostNamed} more` : ''
  const reason = `names ${named.join(', ')}${more} in ${shard}, which does not have ${absent.length === 1 ? 'it' : 'them'}`
  return { grade: 'partial', file: index, reason }
}
