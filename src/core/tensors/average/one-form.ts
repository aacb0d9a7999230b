/** Several files as one form of a model: the same names in all, also where one of them leaves out tied weights. */
import { addTo } from '../../grouped.js'
import type { TensorFile, TensorInfo } from '../read/tensor.js'
import { locationOf, tiedGroups, type Ties } from '../read/ties.js'
import { preferName } from '../read/kept-name.js'

/** A file's tensors by the names that all files have; those in a row behind one another in the first one's order. */
export type Form = ReadonlyMap<string, TensorInfo>

/**
 * What each file has under each name. A name that a file lacks and another one ties to one that it has is that one: a
 * model is often saved without its head, which has the embedding's values.
 */
export function formsOf(files: readonly TensorFile[]): Form[] {
  const mates = matesOf(files)
  const order = new Set(files.flatMap(({ tensors }) => tensors.map(({ name }) => name)))
  return files.map((file) => {
    const own = new Map(file.tensors.map((tensor) => [tensor.name, tensor]))
    const missing = [...mates.keys()].filter((name) => !own.has(name) && order.has(name))
    for (const name of missing) {
      const mate = (mates.get(name) ?? []).find((other) => own.has(other))
      const tensor = mate === undefined ? undefined : own.get(mate)
      if (tensor !== undefined) own.set(name, tensor)
    }
    return own
  })
}

/** Of each tied name those that are tied to it in some file. */
function matesOf(files: readonly TensorFile[]): Map<string, string[]> {
  const mates = new Map<string, string[]>()
  for (const file of files) {
    for (const group of tiedGroups(file)) {
      const names = group.map(({ name }) => name)
      for (const name of names) addTo(mates, name, ...names.filter((one) => one !== name))
    }
  }
  return mates
}

/** What is tied in all files is tied in their mean. */
export function tiesInAll(files: readonly TensorFile[], forms: readonly Form[]): Ties {
  const groups = new Map<string, string[]>()
  for (const name of forms[0]?.keys() ?? []) {
    const locations = files.map((file, index) => locationIn(file, forms[index]?.get(name)))
    if (locations.includes(undefined)) continue
    const key = JSON.stringify(locations)
    addTo(groups, key, name)
  }
  const ties = new Map<string, string>()
  for (const names of groups.values()) {
    const kept = preferName(names)
    for (const name of names) if (name !== kept) ties.set(name, kept)
  }
  return ties
}

/** A tensor that shares nothing is the same as itself alone: two names can stand for it where one is left out. */
function locationIn(file: TensorFile, tensor: TensorInfo | undefined): string | undefined {
  if (tensor === undefined || tensor.bytes === 0) return undefined
  return locationOf(file, tensor) ?? `alone ${tensor.name}`
}
