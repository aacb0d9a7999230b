/**
 * `.metadata` of torch.distributed.checkpoint: a pickle that says of each piece of each tensor in which file it lies and
 * where (torch/distributed/checkpoint/metadata.py, `Metadata.storage_data`; filesystem.py, `_StorageInfo`).
 */
import { FormatError } from '../errors.js'
import { countOf, globalName, readPickle, textOf, type PickleNode } from './pickle/index.js'

/** By the file's name beside `.metadata`, the bytes that it must have at least. Throws FormatError. */
export function readDcpLengths(bytes: Uint8Array): ReadonlyMap<string, number> {
  const { calls } = readPickle(bytes)
  const lengths = new Map<string, number>()
  for (const { callee, states } of calls.instances) {
    if (globalName(callee)?.endsWith('._StorageInfo') !== true) continue
    const path = textOf(valueIn(states, 'relative_path'))
    const [offset, length] = ['offset', 'length'].map((key) => countOf(valueIn(states, key)))
    if (path === undefined || offset === undefined || length === undefined) {
      throw new FormatError('a piece is described without its file, offset or length')
    }
    lengths.set(path, Math.max(lengths.get(path) ?? 0, offset + length))
  }
  return lengths
}

/** The value of an attribute in what `__setstate__` would get; undefined where there is none. */
function valueIn(states: readonly PickleNode[], key: string): PickleNode | undefined {
  for (const state of states) {
    if (typeof state !== 'object' || state?.kind !== 'dict') continue
    const found = state.entries.findLast(([name]) => textOf(name) === key)
    if (found !== undefined) return found[1]
  }
  return undefined
}
