/** flax's msgpack files, by the keys that lead to each array (formats/msgpack/flax.ts). */
import { FormatError } from '../../errors.js'
import { readFlax, type FlaxArray, type FlaxNode } from '../../formats/msgpack/flax.js'
import type { PickleNode } from '../../formats/pickle/index.js'
import type { PyPair, PyValue } from '../../formats/python/value.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { barePartsOf } from './bare-parts.js'
import { joinParts, type Extent } from './extent.js'
import { ListedFile, onlyFile, type ListedTensor } from './listed-file.js'
import type { TensorFile } from './tensor.js'
import { nameOfTorchDtype } from './torch-dtypes.js'

/** Reads all but the arrays. Throws FormatError; `refused` for a map without arrays, which another program wrote. */
export async function openFlax(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const root = await readFlax(sourceOf(handle))
  const tensors: ListedTensor[] = []
  const values = collect(root, '', tensors, handle)
  if (tensors.length === 0) {
    throw new FormatError('this is a msgpack file without arrays, not a file of tensors', {
      hint: 'name a file that flax.serialization wrote',
      code: 'refused',
    })
  }
  return new ListedFile(onlyFile(handle, stat), {
    format: 'flax',
    path: handle.path,
    byteLength: handle.size,
    tensors,
    values: values ?? null,
    parts: barePartsOf(
      outlined(root),
      tensors.map(({ name }) => name),
    ),
  })
}

/** Adds the arrays below `node`; gives what lies beside them, undefined where nothing does. */
function collect(node: FlaxNode, name: string, tensors: ListedTensor[], handle: ReadHandle): PyValue | undefined {
  switch (node.kind) {
    case 'array':
      tensors.push(listed(name, node.array, handle))
      return undefined
    case 'value':
      return node.value
    case 'other':
      return { kind: 'opaque', name: 'msgpack', repr: `<${node.text}>` }
    case 'list':
    case 'map': {
      const pairs = entriesOf(node).flatMap(([key, one]): PyPair[] => {
        const value = collect(one, name === '' ? key : `${name}.${key}`, tensors, handle)
        return value === undefined ? [] : [[key, value]]
      })
      return pairs.length === 0 ? undefined : { kind: 'dict', pairs }
    }
  }
}

function entriesOf(node: FlaxNode): readonly (readonly [string, FlaxNode])[] {
  if (node.kind === 'list') return node.items.map((one, index) => [String(index), one] as const)
  return node.kind === 'map' ? node.entries : []
}

function listed(name: string, { type, shape, parts }: FlaxArray, handle: ReadHandle): ListedTensor {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  const extents = parts.map(({ offset, length }): Extent => ({ handle, position: offset, length }))
  const [only, ...others] = extents
  const open = async () =>
    only !== undefined && others.length === 0
      ? only
      : joinParts(extents.map((extent) => ({ length: extent.length, open: async () => extent })))
  return { name, dtype: nameOfTorchDtype(type.name), shape, bytes, open }
}

/** The maps alone: in which of them the weights lie goes by their keys. */
function outlined(node: FlaxNode): PickleNode {
  if (node.kind !== 'map' && node.kind !== 'list') return null
  return { kind: 'dict', entries: entriesOf(node).map(([key, one]) => [key, outlined(one)] as const) }
}
