/** Storages that a pickle of torch's describes, held against those that are there. Pure. */
import { FormatError } from '../../errors.js'
import { idOf, itemsOf, textOf, type PickleReference } from '../pickle/index.js'
import { storageType } from '../torch-storages/classes.js'
import type { StorageReferences } from './tensor.js'

/** Described, and what there is of them. */
export interface Stored {
  readonly persistents: readonly PickleReference[]
  readonly references: StorageReferences
  readonly storages: {
    /** Bytes of the one with a number that `references` gives. */
    lengthOf(number: number): number
  }
}

/**
 * Every storage that the pickle refers to is there, with all the bytes that it says; throws FormatError for others, and
 * for a reference to something else.
 */
export function checkStorages(stored: Stored): void {
  for (const persistent of stored.persistents) {
    if (!isModuleSource(persistent)) checkStorage(persistent, stored)
  }
}

/** Likewise, but what is no storage of a class that torch knows is left to who wrote it. */
export function checkKnownStorages(stored: Stored): void {
  for (const persistent of stored.persistents) {
    if (isKnown(persistent)) checkStorage(persistent, stored)
  }
}

function checkStorage(persistent: PickleReference, { references, storages }: Stored): void {
  const expected = references.bytesOf(persistent)
  const number = references.numberOf(persistent)
  if (number >= 0 && storages.lengthOf(number) >= expected) return
  const name = JSON.stringify(references.keyOf(persistent).slice(0, 80))
  throw new FormatError(
    number < 0
      ? `torch: storage ${name} is described, but its data is not there`
      : `torch: storage ${name} has ${storages.lengthOf(number)} bytes, and ${expected} are expected`,
  )
}

/** Older streams keep the source of a module's class: ('module', class, file, source). */
function isModuleSource(reference: PickleReference): boolean {
  return reference.kind !== 'tensor' && textOf(itemsOf(reference.id)?.[0]) === 'module'
}

function isKnown(reference: PickleReference): boolean {
  if (reference.kind === 'tensor') return true
  const [kind, cls] = itemsOf(idOf(reference)) ?? []
  return textOf(kind) === 'storage' && storageType(cls) !== undefined
}
