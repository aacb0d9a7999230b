/** A model in several files (Hugging Face: huggingface_hub/serialization/_base.py, `split_state_dict_into_shards_factory`). */
import { basename, dirname, extname, join } from 'node:path'

export interface Sized {
  readonly name: string
  /** Bytes. */
  readonly bytes: number
}

/**
 * Tensors in their order, in files of at most `limit` bytes of tensors each; one that is larger has a file of its own.
 */
export function splitIntoShards<T extends Sized>(tensors: readonly T[], limit: number): T[][] {
  const shards: T[][] = []
  let current: T[] = []
  let size = 0
  for (const tensor of tensors) {
    if (tensor.bytes > limit) {
      shards.push([tensor])
      continue
    }
    if (size + tensor.bytes > limit) {
      shards.push(current)
      current = []
      size = 0
    }
    current.push(tensor)
    size += tensor.bytes
  }
  if (current.length > 0 || shards.length === 0) shards.push(current)
  return shards
}

/** `model-00001-of-00003.safetensors` beside `model.safetensors`; `index` counts from 0. */
export function shardPath(output: string, index: number, count: number): string {
  const extension = extname(output)
  const stem = basename(output, extension)
  const digits = (value: number): string => String(value).padStart(5, '0')
  return join(dirname(output), `${stem}-${digits(index + 1)}-of-${digits(count)}${extension}`)
}

/** `model.safetensors.index.json` for `model.safetensors`. */
export function indexPath(output: string): string {
  return `${output}.index.json`
}

/** `model.safetensors` for `model.safetensors.index.json`; null for what is named as no index. */
export function pathOfIndex(output: string): string | null {
  return /[^/\\]\.index\.json$/i.test(output) ? output.slice(0, -'.index.json'.length) : null
}

/** Which shard holds which tensor, as Hugging Face writes it: keys in order, indented by two. */
export function formatIndex(shards: readonly { readonly path: string; readonly tensors: readonly Sized[] }[]): string {
  const total = shards.flatMap(({ tensors }) => tensors).reduce((sum, { bytes }) => sum + bytes, 0)
  const entries = shards
    .flatMap(({ path, tensors }) => tensors.map(({ name }) => [name, basename(path)] as const))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const lines = entries.map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`)
  const map = lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n  }`
  return `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": ${map}\n}\n`
}
