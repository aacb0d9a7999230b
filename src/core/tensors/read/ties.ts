/** Tied weights: several names of one file that stand for the very same values. */
import { preferName } from './kept-name.js'
import type { TensorFile, TensorInfo } from './tensor.js'

/** From each further name of tied weights to the one that stands for them all. */
export type Ties = ReadonlyMap<string, string>

/**
 * Which names of a file are one parameter: the same elements of one storage in the same order, or a name that a note
 * gives to another. Slices of one storage are not tied. Of a file with notes the name that has the data is the one
 * kept; otherwise `preferName` chooses.
 */
export function tiesOf(file: TensorFile, tensors: readonly TensorInfo[] = file.tensors): Ties {
  const ties = new Map<string, string>()
  for (const group of tiedGroups(file, tensors)) {
    const stored = group.filter(({ noted }) => noted !== true)
    const kept = preferName((stored.length === 0 ? group : stored).map(({ name }) => name))
    for (const { name } of group) if (name !== kept) ties.set(name, kept)
  }
  return ties
}

/** Tensors that are one parameter under several names, each group in the order of the file. */
export function tiedGroups(file: TensorFile, tensors: readonly TensorInfo[] = file.tensors): TensorInfo[][] {
  const groups = new Map<string, TensorInfo[]>()
  for (const tensor of tensors) {
    const location = locationOf(file, tensor)
    if (location === undefined) continue
    const group = groups.get(location)
    if (group === undefined) groups.set(location, [tensor])
    else group.push(tensor)
  }
  return [...groups.values()].filter(({ length }) => length > 1)
}

/** Names of tensors that lie in the storage of another one and are not that one under another name. */
export function partsOfStorages(file: TensorFile): ReadonlySet<string> {
  const locations = new Map(file.tensors.map((tensor) => [tensor.name, locationOf(file, tensor)]))
  const isPart = ({ name, shared }: TensorInfo): boolean =>
    shared !== undefined && shared !== name && locations.get(shared) !== locations.get(name)
  return new Set(file.tensors.filter(isPart).map(({ name }) => name))
}

/** Where the values lie and how they are read; undefined for what shares nothing, and for what has no values. */
export function locationOf(file: TensorFile, tensor: TensorInfo): string | undefined {
  return tensor.shared === undefined || tensor.bytes === 0 ? undefined : file.locationOf?.(tensor)
}
